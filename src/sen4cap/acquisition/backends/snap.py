"""ESA SNAP: backscatter of a Sentinel-1 SLC image, and coherence of a pair of them.

The graphs are our own. They follow the original's operators, with three things other: backscatter
stays power and is flattened to gamma0, coherence has the phases of flat earth and topography
removed (the original's lack of it lowers coherence by up to a fifth at near range), and rasters lie
on multiples of the pixel, so that all dates share a grid.

A pair is of one relative orbit, 6 days apart where there is such an image, else 12; the satellites
may differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

from sen4cap.domain import Product

SWATHS = ("IW1", "IW2", "IW3")
PIXEL = 20
DEM = "Copernicus 30m Global DEM"
GAPS = (6, 12)
"""Days between the images of a pair, the better one first."""
MIN_OVERLAP = 0.05
"""Of the footprint of the later image."""
WINDOW = (20, 5)
"""Pixels in range and azimuth over which coherence is estimated."""
ORBIT = "sat:relative_orbit"


@dataclass(frozen=True)
class Node:
    """An operator of a graph."""

    id: str
    operator: str
    sources: tuple[str, ...] = ()
    parameters: Mapping[str, str] | None = None


def earlier_of(image: Product, images: Sequence[Product]) -> tuple[Product, ...]:
    """Images with which one makes pairs, the largest overlap first; none where there is none."""
    for gap in GAPS:
        found = [
            (_overlap(image, item), item.name, item) for item in images if _is(item, image, gap)
        ]
        fitting = sorted((item for item in found if item[0] > MIN_OVERLAP), reverse=True)
        if fitting:
            return tuple(item for _, _, item in fitting)
    return ()


def _is(earlier: Product, later: Product, gap: int) -> bool:
    apart = later.start - earlier.start
    orbits = earlier.properties.get(ORBIT), later.properties.get(ORBIT)
    return (
        None not in orbits
        and orbits[0] == orbits[1]
        and abs(apart - timedelta(days=gap)) < timedelta(hours=12)
    )


def _overlap(one: Product, other: Product) -> float:
    """Share of the first one's footprint that both have."""
    if not one.footprint or not other.footprint:
        return 0.0
    import shapely

    first, second = shapely.from_wkt([one.footprint, other.footprint])
    return float(shapely.area(shapely.intersection(first, second)) / shapely.area(first))


def backscatter_graph(image: Path, target: Path, polarisation: str, crs: str) -> bytes:
    """Graph of the gamma0 of an image, linear power, as a GeoTIFF."""
    nodes = [*_read("read", image)]
    for swath in SWATHS:
        nodes += [
            Node(f"split{swath}", "TOPSAR-Split", ("orbit_read",), _split(swath, polarisation)),
            Node(
                f"calibrated{swath}", "Calibration", (f"split{swath}",), {"outputBetaBand": "true"}
            ),
            Node(f"deburst{swath}", "TOPSAR-Deburst", (f"calibrated{swath}",)),
        ]
    nodes += [
        Node("merged", "TOPSAR-Merge", tuple(f"deburst{swath}" for swath in SWATHS)),
        Node("looks", "Multilook", ("merged",), {"nRgLooks": "8", "nAzLooks": "2"}),
        Node("flat", "Terrain-Flattening", ("looks",), {"demName": DEM}),
        *_write("flat", target, crs),
    ]
    return graph(nodes)


def coherence_graph(earlier: Path, later: Path, target: Path, polarisation: str, crs: str) -> bytes:
    """Graph of the coherence of a pair, 0 to 1, as a GeoTIFF."""
    nodes = [*_read("first", earlier), *_read("second", later)]
    estimate = {
        "cohWinRg": str(WINDOW[0]),
        "cohWinAz": str(WINDOW[1]),
        "squarePixel": "false",
        "subtractFlatEarthPhase": "true",
        "subtractTopographicPhase": "true",
        "demName": DEM,
    }
    for swath in SWATHS:
        splits = tuple(f"{image}{swath}" for image in ("second", "first"))
        nodes += [
            Node(
                name, "TOPSAR-Split", (f"orbit_{name[: -len(swath)]}",), _split(swath, polarisation)
            )
            for name in splits
        ]
        nodes += [
            Node(f"geocoded{swath}", "Back-Geocoding", splits, {"demName": DEM}),
            Node(f"coherence{swath}", "Coherence", (f"geocoded{swath}",), estimate),
            Node(f"deburst{swath}", "TOPSAR-Deburst", (f"coherence{swath}",)),
        ]
    nodes += [
        Node("merged", "TOPSAR-Merge", tuple(f"deburst{swath}" for swath in SWATHS)),
        *_write("merged", target, crs),
    ]
    return graph(nodes)


def _read(name: str, path: Path) -> Iterator[Node]:
    precise = {"orbitType": "Sentinel Precise (Auto Download)", "continueOnFail": "true"}
    yield Node(name, "Read", (), {"file": str(path)})
    yield Node(f"orbit_{name}", "Apply-Orbit-File", (name,), precise)


def _split(swath: str, polarisation: str) -> dict[str, str]:
    return {"subswath": swath, "selectedPolarisations": polarisation}


def _write(source: str, target: Path, crs: str) -> Iterator[Node]:
    """Geocoding onto multiples of the pixel, and the file."""
    geocoding = {
        "demName": DEM,
        "imgResamplingMethod": "BILINEAR_INTERPOLATION",
        "pixelSpacingInMeter": f"{PIXEL}.0",
        "mapProjection": crs,
        "alignToStandardGrid": "true",
        "standardGridOriginX": "0.0",
        "standardGridOriginY": "0.0",
        "nodataValueAtSea": "false",
    }
    yield Node("geocoded", "Terrain-Correction", (source,), geocoding)
    yield Node("written", "Write", ("geocoded",), {"file": str(target), "formatName": "GeoTIFF"})


def graph(nodes: Sequence[Node]) -> bytes:
    """A graph as `gpt` reads it."""
    root = ET.Element("graph", id="sen4cap")
    ET.SubElement(root, "version").text = "1.0"
    for node in nodes:
        element = ET.SubElement(root, "node", id=node.id)
        ET.SubElement(element, "operator").text = node.operator
        sources = ET.SubElement(element, "sources")
        for number, source in enumerate(node.sources):
            name = "sourceProduct" if number == 0 else f"sourceProduct.{number}"
            ET.SubElement(sources, name, refid=source)
        parameters = ET.SubElement(element, "parameters")
        for key, text in (node.parameters or {}).items():
            ET.SubElement(parameters, key).text = text
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def arguments(program: str, graph_file: Path, cache_mb: int, threads: int) -> tuple[str, ...]:
    """The command line of `gpt`."""
    return (program, str(graph_file), "-c", f"{cache_mb}M", "-q", str(threads), "-x")


def utm_of(footprint: str) -> str:
    """Code of the UTM zone of a footprint's centre."""
    import shapely

    centre = shapely.centroid(shapely.from_wkt(footprint))
    zone = int((centre.x + 180) // 6) % 60 + 1
    return f"EPSG:{(32700 if centre.y < 0 else 32600) + zone}"

"""Colours for classes, and QGIS styles that carry them.

The colours are those of Okabe & Ito (2008, "Color Universal Design") without black and the muted
scheme of P. Tol (SRON/EPS/TN/09-002, issue 3.2, §2.1), in an order that keeps neighbours apart
for all common forms of colour blindness. What has no class is drawn in the pale grey that the same
note keeps for bad data.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

NO_CLASS = "#dddddd"
"""Colour of what has no class."""

_BASE = (
    "#009e73",
    "#e69f00",
    "#56b4e9",
    "#cc79a7",
    "#f0e442",
    "#0072b2",
    "#d55e00",
    "#332288",
    "#ddcc77",
    "#882255",
    "#88ccee",
    "#999933",
    "#cc6677",
    "#117733",
    "#aa4499",
)
_TINT = 0.45
"""How far each further round through the base colours moves to white."""

Category = tuple[str | int, str, str]
"""Value, label, colour as `#rrggbb`."""


def palette(n: int) -> list[str]:
    """The first `n` class colours as `#rrggbb`.

    The order is fixed: `palette(3)` begins `palette(8)`. After 15 colours the same ones return,
    each round paler; labels must tell those apart.
    """
    rounds = (divmod(index, len(_BASE)) for index in range(n))
    return [_tint(_BASE[colour], 1.0 - (1.0 - _TINT) ** turn) for turn, colour in rounds]


def _tint(colour: str, share: float) -> str:
    mixed = (round(value + (255 - value) * share) for value in rgb(colour))
    return "#" + "".join(f"{value:02x}" for value in mixed)


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue (0-255) of a colour `#rrggbb`."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def categorized_qml(
    attribute: str, categories: Sequence[Category], geometry: str = "polygon"
) -> str:
    """QGIS 3 style (QML) that draws each value of an attribute in its colour.

    A last category without value takes all the rest, in pale grey. `geometry` is `polygon`, `line`
    or `point`. Structure as written by QGIS 3.34 (`renderer-v2`, `categorizedSymbol`).
    """
    rows = [*categories, ("", "no result", NO_CLASS)]
    root = ET.Element("qgis", version="3.34.0", styleCategories="Symbology")
    renderer = ET.SubElement(
        root, "renderer-v2", type="categorizedSymbol", attr=attribute, enableorderby="0",
        forceraster="0", symbollevels="0",
    )  # fmt: skip
    listed = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    for index, (value, label, colour) in enumerate(rows):
        kind = "integer" if isinstance(value, int) else "string"
        ET.SubElement(
            listed, "category", render="true", symbol=str(index), type=kind, value=str(value),
            label=label,
        )  # fmt: skip
        _symbol(symbols, str(index), colour, geometry)
    _layer_defaults(root, geometry)
    ET.indent(root)
    doctype = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
    return doctype + ET.tostring(root, encoding="unicode") + "\n"


_SYMBOLS = {
    "polygon": ("fill", "SimpleFill"),
    "line": ("line", "SimpleLine"),
    "point": ("marker", "SimpleMarker"),
}


def _symbol(parent: ET.Element, name: str, colour: str, geometry: str) -> None:
    kind, layer_class = _SYMBOLS[geometry]
    symbol = ET.SubElement(
        parent, "symbol", name=name, type=kind, alpha="1", clip_to_extent="1", force_rhr="0"
    )
    layer = ET.SubElement(
        symbol, "layer", {"class": layer_class, "enabled": "1", "locked": "0", "pass": "0"}
    )
    options = ET.SubElement(layer, "Option", type="Map")
    for key, value in _options(colour, geometry).items():
        ET.SubElement(options, "Option", name=key, type="QString", value=value)


def _options(colour: str, geometry: str) -> dict[str, str]:
    fill = ",".join(map(str, (*rgb(colour), 255)))
    if geometry == "line":
        return {"line_color": fill, "line_width": "0.4", "line_style": "solid"}
    outline = {
        "outline_color": "70,70,70,255",
        "outline_style": "solid",
        "outline_width": "0.1",
        "outline_width_unit": "MM",
    }
    return {"color": fill, "style": "solid", **outline}


def _layer_defaults(root: ET.Element, geometry: str) -> None:
    ET.SubElement(root, "blendMode").text = "0"
    ET.SubElement(root, "featureBlendMode").text = "0"
    code = {"point": "0", "line": "1", "polygon": "2"}[geometry]
    ET.SubElement(root, "layerGeometryType").text = code

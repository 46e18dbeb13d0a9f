"""Small Sentinel-2 scenes for tests, in the forms a source must understand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.windows import Window

from sen4cap.domain import Grid
from sen4cap.geo.crs import reproject
from sen4cap.geo.raster import write_cog
from sen4cap.testing.rasters import small_grid, write_raster

Array = npt.NDArray[Any]

SHIFT = 1000
"""Added to every stored value from processing baseline 04.00 on."""

EARTH_SEARCH_KEYS = {
    "B02": "blue",
    "B03": "green",
    "B04": "red",
    "B05": "rededge1",
    "B06": "rededge2",
    "B07": "rededge3",
    "B08": "nir",
    "B8A": "nir08",
    "B11": "swir16",
    "B12": "swir22",
    "SCL": "scl",
}


@dataclass(frozen=True)
class Scene:
    """One acquisition as stored values; an image of half as many rows has twice the pixel."""

    bands: Mapping[str, Array]
    """Images of shape (rows, columns) by band, `SCL` among them."""
    grid: Grid = field(default_factory=lambda: small_grid(64, 64, name="31UDS"))
    """At 10 m, under the name of its tile."""
    start: datetime = datetime(2018, 7, 17, 10, 53, 28, tzinfo=UTC)
    baseline: str = "05.10"
    platform: str = "sentinel-2a"
    relative_orbit: int = 51
    cloud_cover: float = 12.5
    sun: tuple[float, float] | None = None
    """Zenith and azimuth of the sun, degrees, everywhere in the tile; None writes no angles."""
    view: tuple[float, float] = (5.0, 100.0)
    """As `sun`, of the satellite, in every band."""
    id: str = ""
    """Name; by default `S2A_MSIL2A_…`, as ESA builds it."""

    @property
    def name(self) -> str:
        """Name of the product."""
        if self.id:
            return self.id
        mission = self.platform.removeprefix("sentinel-").upper()
        baseline = self.baseline.replace(".", "")
        return (
            f"S{mission}_MSIL2A_{self.start:%Y%m%dT%H%M%S}_N{baseline}"
            f"_R{self.relative_orbit:03d}_T{self.grid.name}_{self.start:%Y%m%d}T235959"
        )

    def grid_of(self, band: str) -> Grid:
        """Grid of a band, from the shape of its image."""
        return self.grid.at(self.grid.pixel[0] * self.grid.width / self.bands[band].shape[1])

    @property
    def corners(self) -> Array:
        """Ring of the extent, shape (5, 2): longitude, latitude."""
        extent = np.array([shapely.box(*self.grid.bounds)])
        return np.asarray(shapely.get_coordinates(reproject(extent, self.grid.crs, "EPSG:4326")))


def digital_numbers(reflectance: Array, *, shifted: bool) -> Array:
    """Stored values of reflectances [0-1], with or without the shift; NaN becomes 0."""
    stored = np.rint(reflectance * 10_000) + (SHIFT if shifted else 0)
    return np.where(np.isnan(reflectance), 0, np.maximum(stored, 1)).astype(np.uint16)


def write_safe(
    folder: Path,
    scene: Scene,
    *,
    add_offset: int | None = None,
    driver: str = "JP2OpenJPEG",
) -> Path:
    """Write a scene as a SAFE folder below `folder`; returns its path.

    `add_offset` is what the metadata give as BOA_ADD_OFFSET of every band; None leaves the
    elements out, as baselines before 04.00 do.
    """
    safe = folder / f"{scene.name}.SAFE"
    granule = safe / "GRANULE" / f"L2A_T{scene.grid.name}_A000001_{scene.start:%Y%m%dT%H%M%S}"
    for band in scene.bands:
        _write_image(granule, scene, band, driver)
    (safe / "MTD_MSIL2A.xml").write_text(_user_product(scene, add_offset), encoding="utf-8")
    (granule / "MTD_TL.xml").write_text(_tile(scene), encoding="utf-8")
    return safe


def _write_image(granule: Path, scene: Scene, band: str, driver: str) -> None:
    grid = scene.grid_of(band)
    folder = granule / "IMG_DATA" / f"R{grid.pixel[0]:.0f}m"
    folder.mkdir(parents=True, exist_ok=True)
    is_jp2 = driver == "JP2OpenJPEG"
    stem = f"T{grid.name}_{scene.start:%Y%m%dT%H%M%S}_{band}_{grid.pixel[0]:.0f}m"
    path = folder / f"{stem}.{'jp2' if is_jp2 else 'tif'}"
    options: dict[str, Any] = {"QUALITY": "100", "REVERSIBLE": "YES"} if is_jp2 else {}
    write_raster(path, grid, scene.bands[band], driver=driver, **options)


def _user_product(scene: Scene, add_offset: int | None) -> str:
    positions = " ".join(f"{lat} {lon}" for lon, lat in scene.corners)
    offsets = "".join(
        f'<BOA_ADD_OFFSET band_id="{band}">{add_offset}</BOA_ADD_OFFSET>' for band in range(13)
    )
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-2A_User_Product xmlns:n1="urn:user-product">
  <n1:General_Info>
    <Product_Info>
      <PRODUCT_START_TIME>{_iso(scene.start)}</PRODUCT_START_TIME>
      <PRODUCT_URI>{scene.name}.SAFE</PRODUCT_URI>
      <PROCESSING_BASELINE>{scene.baseline}</PROCESSING_BASELINE>
      <Datatake>
        <SPACECRAFT_NAME>{scene.platform.capitalize()}</SPACECRAFT_NAME>
        <SENSING_ORBIT_NUMBER>{scene.relative_orbit}</SENSING_ORBIT_NUMBER>
        <SENSING_ORBIT_DIRECTION>DESCENDING</SENSING_ORBIT_DIRECTION>
      </Datatake>
    </Product_Info>
    <BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>
    {"" if add_offset is None else offsets}
  </n1:General_Info>
  <n1:Geometric_Info>
    <EXT_POS_LIST>{positions}</EXT_POS_LIST>
  </n1:Geometric_Info>
  <Cloud_Coverage_Assessment>{scene.cloud_cover}</Cloud_Coverage_Assessment>
</n1:Level-2A_User_Product>
"""


def _tile(scene: Scene) -> str:
    grid = scene.grid
    left, top = grid.transform[2], grid.transform[5]
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-2A_Tile_ID xmlns:n1="urn:tile">
  <TILE_ID>S2A_OPER_MSI_L2A_TL_TEST_A000001_T{grid.name}_N{scene.baseline}</TILE_ID>
  <SENSING_TIME>{_iso(scene.start)}</SENSING_TIME>
  <HORIZONTAL_CS_CODE>{grid.crs}</HORIZONTAL_CS_CODE>
  <Size resolution="10"><NROWS>{grid.height}</NROWS><NCOLS>{grid.width}</NCOLS></Size>
  <Geoposition resolution="10">
    <ULX>{left}</ULX><ULY>{top}</ULY><XDIM>10</XDIM><YDIM>-10</YDIM>
  </Geoposition>
  {"" if scene.sun is None else _angles(scene.sun, scene.view)}
  <CLOUDY_PIXEL_PERCENTAGE>{scene.cloud_cover}</CLOUDY_PIXEL_PERCENTAGE>
</n1:Level-2A_Tile_ID>
"""


def _angles(sun: tuple[float, float], view: tuple[float, float]) -> str:
    """Angles of a tile: two detectors see a half of each band."""
    means = "".join(
        f'<Mean_Viewing_Incidence_Angle bandId="{band}">{_stated(view)}'
        "</Mean_Viewing_Incidence_Angle>"
        for band in range(13)
    )
    halves = "".join(
        f'<Viewing_Incidence_Angles_Grids bandId="{band}" detectorId="{detector}">'
        f"{_angle_grid(view, half)}</Viewing_Incidence_Angles_Grids>"
        for band in range(13)
        for detector, half in enumerate((slice(0, 12), slice(12, 23)), start=1)
    )
    return f"""<Tile_Angles>
    <Sun_Angles_Grid>{_angle_grid(sun, slice(0, 23))}</Sun_Angles_Grid>
    <Mean_Sun_Angle>{_stated(sun)}</Mean_Sun_Angle>
    {halves}
    <Mean_Viewing_Incidence_Angle_List>{means}</Mean_Viewing_Incidence_Angle_List>
  </Tile_Angles>"""


def _stated(angles: tuple[float, float]) -> str:
    return f"<ZENITH_ANGLE>{angles[0]}</ZENITH_ANGLE><AZIMUTH_ANGLE>{angles[1]}</AZIMUTH_ANGLE>"


def _angle_grid(angles: tuple[float, float], seen: slice) -> str:
    """Zenith and azimuth at 23 x 23 nodes, NaN in the columns that are not seen."""
    grids = []
    for name, value in zip(("Zenith", "Azimuth"), angles, strict=True):
        row = np.full(23, np.nan)
        row[seen] = value
        text = " ".join("NaN" if np.isnan(item) else f"{item}" for item in row)
        rows = f"<VALUES>{text}</VALUES>" * 23
        grids.append(
            f"<{name}><COL_STEP>5000</COL_STEP><ROW_STEP>5000</ROW_STEP>"
            f"<Values_List>{rows}</Values_List></{name}>"
        )
    return "".join(grids)


def write_item(
    folder: Path,
    scene: Scene,
    *,
    raster_bands: Mapping[str, float] | None = None,
    tags: Mapping[str, float] | None = None,
    properties: Mapping[str, Any] | None = None,
    earth_search_keys: bool = False,
) -> Path:
    """Write a scene as a STAC Item with COG assets beside it; returns the item's path.

    `raster_bands` (`scale`, `offset`, `nodata`) goes into every reflectance asset's
    `raster:bands`, `tags` (`scale`, `offset`) into the files. `properties` are added to the
    item's; one of None is left out. Assets are keyed by band, or as Earth Search keys them.
    """
    home = folder / scene.name
    home.mkdir(parents=True, exist_ok=True)
    assets = {}
    for band, image in scene.bands.items():
        is_mask = band == "SCL"
        _write_cog(home / f"{band}.tif", scene.grid_of(band), image, {} if is_mask else tags or {})
        key = EARTH_SEARCH_KEYS[band] if earth_search_keys else band
        assets[key] = _asset(band, None if is_mask else raster_bands)
    path = home / f"{scene.name}.json"
    document = _item(scene, assets, properties or {})
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return path


def _write_cog(path: Path, grid: Grid, image: Array, tags: Mapping[str, float]) -> None:
    block = (Window(0, 0, grid.width, grid.height), image)
    write_cog(
        path,
        grid,
        [block],
        dtype=str(image.dtype),
        nodata=0,
        scale=tags.get("scale", 1.0),
        offset=tags.get("offset", 0.0),
        resampling="nearest",
    )


def _asset(band: str, raster_bands: Mapping[str, float] | None) -> dict[str, Any]:
    asset: dict[str, Any] = {
        "href": f"./{band}.tif",
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "roles": ["data"],
    }
    if raster_bands:
        asset["raster:bands"] = [dict(raster_bands)]
    return asset


def _item(scene: Scene, assets: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    corners = scene.corners
    properties = {
        "datetime": _iso(scene.start),
        "platform": scene.platform,
        "sat:relative_orbit": scene.relative_orbit,
        "s2:processing_baseline": scene.baseline,
        "eo:cloud_cover": scene.cloud_cover,
        "grid:code": f"MGRS-{scene.grid.name}",
        "proj:code": scene.grid.crs,
        **more,
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": scene.name,
        "geometry": {"type": "Polygon", "coordinates": [corners.tolist()]},
        "bbox": [*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist()],
        "properties": {key: value for key, value in properties.items() if value is not None},
        "links": [],
        "assets": assets,
    }


def _iso(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def write_series(
    folder: Path,
    grid: Grid,
    images: Mapping[str, Array],
    *,
    nodata: float | None = 0,
    scale: float | None = None,
    offset: float | None = None,
) -> Path:
    """Write images as plain GeoTIFFs under the file names given; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in images.items():
        write_raster(folder / name, grid, image, nodata=nodata, scale=scale, offset=offset)
    return folder

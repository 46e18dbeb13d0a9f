"""Sites and parcels through the command line: footprints, pixels, versions."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from typer.testing import CliRunner

from sen4cap.cli import app
from sen4cap.domain import Grid
from sen4cap.errors import InputRefused, NotFound
from sen4cap.store.parcels import SqlParcels
from sen4cap.testing.rasters import write_raster

from .conftest import Terminal

FIJI = [shapely.box(179.9, -16.6, 179.95, -16.55), shapely.box(-179.95, -16.6, -179.9, -16.55)]
FIJI_TILES = ["01KAB", "60KZG"]


def fields(
    path: Path, boxes: list[shapely.Geometry | None], crs: str = "EPSG:32631", crop: str = "1"
) -> Path:
    """A GeoPackage of fields a, b, … that all have one crop."""
    ids = [chr(ord("a") + row) for row in range(len(boxes))]
    frame = gpd.GeoDataFrame({"id": ids, "crop": crop}, geometry=boxes, crs=crs)
    frame.to_file(path)
    return path


def square(x: float, y: float, side: float = 100) -> shapely.Geometry:
    return shapely.box(x, y, x + side, y + side)


def importing(path: Path, site: str = "farm") -> tuple[object, ...]:
    return ("lpis", "import", site, 2018, path, "--parcel-id-cols", "id", "--crop-code-col", "crop")


def footprint(terminal: Terminal, site: str = "farm") -> shapely.Geometry | None:
    text = terminal("site", "show", site)["footprint"]
    return None if text is None else shapely.from_wkt(text)


def test_a_site_on_both_sides_of_the_antimeridian(terminal: Terminal, tmp_path: Path) -> None:
    """20 km of Fiji lie on two tiles, whether an outline gives the site or its parcels."""
    path = fields(tmp_path / "fiji.gpkg", FIJI, "EPSG:4326")
    terminal("site", "create", "Given", "--area", path)
    terminal("site", "create", "Farmed")
    terminal(*importing(path, "farmed"))
    for site in ("given", "farmed"):
        assert terminal("site", "show", site)["tiles"] == FIJI_TILES
        area = footprint(terminal, site)
        assert area is not None
        assert area.area == pytest.approx(0.2 * 0.05, rel=1e-4)


def test_parcels_without_geometry_give_no_footprint(terminal: Terminal, tmp_path: Path) -> None:
    terminal("site", "create", "Farm")
    path = fields(tmp_path / "none.gpkg", [None, None])
    assert terminal(*importing(path))["report"]["reasons"] == {"no_geometry": 2}
    assert footprint(terminal) is None
    assert terminal("site", "show", "farm")["tiles"] == []
    terminal(*importing(fields(tmp_path / "some.gpkg", [square(500_050, 5_699_800)])))
    assert terminal("site", "show", "farm")["tiles"] == ["31UES"]


def test_an_outline_without_area_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    path = fields(tmp_path / "point.gpkg", [shapely.Point(500_000, 5_700_000)])
    with pytest.raises(InputRefused, match=r"'point\.gpkg' encloses no area"):
        terminal("site", "create", "Farm", "--area", path)
    assert terminal("site", "list") == []


def test_imports_widen_a_footprint_that_they_gave(terminal: Terminal, tmp_path: Path) -> None:
    """A raster beside the first parcels meets the site once parcels are there."""
    near, far = square(500_050, 5_699_800), square(600_050, 5_699_800)
    grid = Grid("31UES", "EPSG:32631", (10.0, 0.0, 600_000.0, 0.0, -10.0, 5_700_000.0), 64, 64)
    (tmp_path / "far").mkdir()
    values = np.full((64, 64), 200, np.uint8)
    write_raster(tmp_path / "far" / "NDVI_2018-05-04.tif", grid, values, nodata=0)
    terminal("site", "create", "Farm")
    terminal(*importing(fields(tmp_path / "near.gpkg", [near])))
    first = footprint(terminal)
    terminal(*importing(fields(tmp_path / "far.gpkg", [far])))
    assert shapely.covers(footprint(terminal), first)
    assert terminal("site", "show", "farm")["footprint_is_given"] is False
    terminal("product", "ingest", "farm", tmp_path / "far", "--scale", "0.004")
    assert len(terminal("product", "list", "farm")) == 1

    terminal("lpis", "rollback", "farm", 2018, 2)
    wide = footprint(terminal)
    terminal(*importing(tmp_path / "near.gpkg"))
    assert footprint(terminal) == wide


def test_a_footprint_that_was_given_stays(terminal: Terminal, tmp_path: Path) -> None:
    area = fields(tmp_path / "area.gpkg", [square(500_000, 5_699_000, 1000)])
    terminal("site", "create", "Farm", "--area", area)
    before = footprint(terminal)
    terminal(*importing(fields(tmp_path / "far.gpkg", [square(600_050, 5_699_800)])))
    assert footprint(terminal) == before
    assert terminal("site", "show", "farm")["footprint_is_given"] is True


def test_pixels_are_those_of_metres_on_a_grid_in_degrees(
    terminal: Terminal, tmp_path: Path
) -> None:
    """100 m squares, 3 m off the pixels of UTM, hold 9 × 9 of 10 m and 4 × 4 of 20 m."""
    grid = Grid("ll", "EPSG:4326", (1e-4, 0.0, 2.999, 0.0, -1e-4, 51.46), 200, 200)
    (tmp_path / "s").mkdir()
    values = np.full((200, 200), 200, np.uint8)
    write_raster(tmp_path / "s" / "NDVI_2018-05-04.tif", grid, values, nodata=0)
    terminal("site", "create", "Farm")
    terminal("season", "create", "farm", "2018", "--start", "2018-01-01", "--end", "2018-12-31")
    terminal(*importing(fields(tmp_path / "a.gpkg", [square(500_053, 5_699_803)])))
    terminal("product", "ingest", "farm", tmp_path / "s", "--scale", "0.004")
    with sqlite3.connect(terminal.home / "sen4cap.sqlite") as connection:
        rows = connection.execute('select "S2Pix", "S1Pix" from decl_farm_2018').fetchall()
    connection.close()
    assert rows == [(81, 16)]


def test_a_version_that_is_refused_leaves_no_file(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store refuses where another import was faster; only its file stays."""
    terminal("site", "create", "Farm")
    path = fields(tmp_path / "a.gpkg", [square(500_050, 5_699_800)])
    terminal(*importing(path))
    kept = sorted((terminal.home / "archive").rglob("*"))

    def refused(*_: object) -> None:
        raise NotFound("Someone else was faster.")

    monkeypatch.setattr(SqlParcels, "write", refused)
    with pytest.raises(NotFound, match="faster"):
        terminal(*importing(path))
    assert sorted((terminal.home / "archive").rglob("*")) == kept
    monkeypatch.setattr(SqlParcels, "next_version", lambda *_: 1)
    with pytest.raises(NotFound, match="faster"):
        terminal(*importing(path))
    assert sorted((terminal.home / "archive").rglob("*")) == kept


def test_a_dry_run_tells_what_becomes_of_which_parcel(terminal: Terminal, tmp_path: Path) -> None:
    both = [square(500_050, 5_699_800), square(500_250, 5_699_800)]
    terminal("site", "create", "Farm")
    terminal(*importing(fields(tmp_path / "one.gpkg", both[:1])))
    path = fields(tmp_path / "two.gpkg", both, crop="2")
    environment = {"SEN4CAP_HOME": str(terminal.home)}
    words = [*map(str, importing(path)), "--dry-run"]
    told = CliRunner().invoke(app, words, env=environment, catch_exceptions=False).stdout
    assert [line.split() for line in told.splitlines()[-2:]] == [
        ["crop", "a", "from", "1", "to", "2"],
        ["new", "b", "to", "2"],
    ]

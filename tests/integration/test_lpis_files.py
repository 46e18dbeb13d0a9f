"""Vector files as agencies send them, sound and broken, and the files we write."""

from __future__ import annotations

import json
import sqlite3
import stat
import zipfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import pytest
import shapely
from geopandas.testing import assert_geodataframe_equal
from shapely.geometry import Point, Polygon

from sen4cap.errors import (
    EmptyLayer,
    InputRefused,
    MissingColumn,
    MissingCrs,
    UnreadableFile,
    UnsafeArchive,
)
from sen4cap.geo.archive import unpacked
from sen4cap.geo.vector import columns_of, read_parcels, read_vector, write_gpkg, write_parcels
from sen4cap.parcels import Columns, prepare
from sen4cap.testing.parcels import (
    declarations,
    square,
    write_circles,
    write_zip,
    write_zipped_shapefile,
)

FIELDS = declarations([square(0, 0), square(2, 0), square(4, 0)])
NAMED = Columns(("PARCEL",), ("FARM",), "CROP")


def written(folder: Path, kind: str) -> Path:
    path = folder / f"fields{kind}"
    if kind == ".zip":
        return write_zipped_shapefile(path, FIELDS)
    if kind == ".parquet":
        FIELDS.to_parquet(path)
    else:
        FIELDS.to_crs("EPSG:4326" if kind == ".geojson" else "EPSG:3035").to_file(path)
    return path


@pytest.mark.parametrize("kind", [".zip", ".shp", ".gpkg", ".geojson", ".parquet", ".fgb"])
def test_every_format_gives_the_same_parcels(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, kind)
    frame = read_vector(path)
    assert list(columns_of(path)) == ["PARCEL", "FARM", "CROP"]
    assert sorted(frame["PARCEL"]) == ["P0", "P1", "P2"]
    made = prepare(frame, NAMED).frame
    assert made["ori_id"].tolist() == ["P0", "P1", "P2"]
    assert made["Area_meters"].to_numpy() == pytest.approx([10_000] * 3, rel=1e-6)
    assert frame.crs.to_epsg() == (4326 if kind == ".geojson" else 3035)


def test_a_zip_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, ".zip")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    before = sorted(tmp_path.rglob("*"))
    read_vector(path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["../x.shp", "/x.shp", "a/../../x.shp", "..\\x.shp", "C:\\x.shp"])
def test_a_path_outside_the_zip_is_refused(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "a.zip", {name: b"x"})
    with pytest.raises(UnsafeArchive, match="path outside itself"):
        read_vector(path)
    assert [item.name for item in tmp_path.rglob("*")] == ["a.zip"]


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    link = zipfile.ZipInfo("fields.shp")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UnsafeArchive, match=r"a link, 'fields\.shp'"):
        read_vector(path)


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"fields.shp": bytes(20 * 2**20)})
    assert path.stat().st_size < 50_000
    with pytest.raises(UnsafeArchive, match="more than 200 times"):
        read_vector(path)


def test_a_zip_may_not_unpack_to_more_than_the_limit(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).bytes(3000)
    path = write_zip(tmp_path / "a.zip", {"a": noise, "b": noise})
    with unpacked(path, max_bytes=6000) as folder:
        assert (folder / "b").read_bytes() == noise
    with pytest.raises(UnsafeArchive, match="more than the limit"), unpacked(path, max_bytes=5999):
        pass


def test_a_damaged_and_an_empty_zip_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, ".zip")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UnreadableFile, match="cannot be unpacked"):
        read_vector(path)
    with pytest.raises(UnreadableFile, match="holds no vector file"):
        read_vector(write_zip(tmp_path / "b.zip", {"readme.txt": b"x"}))


def test_of_several_files_one_must_be_named(tmp_path: Path) -> None:
    content = written(tmp_path, ".gpkg").read_bytes()
    path = write_zip(tmp_path / "a.zip", {"one.gpkg": content, "two.gpkg": content})
    with pytest.raises(InputRefused, match="name one with --layer, one, two"):
        read_vector(path)


def test_of_several_layers_one_must_be_named(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    FIELDS.to_file(path, layer="fields")
    FIELDS[:1].to_file(path, layer="blocks")
    with pytest.raises(InputRefused, match="2 layers with geometry: name one with --layer"):
        read_vector(path)
    with pytest.raises(InputRefused, match="no layer 'x'; there are: fields, blocks"):
        read_vector(path, "x")
    assert len(read_vector(path, "blocks")) == 1


def test_a_shapefile_without_prj_needs_a_crs(tmp_path: Path) -> None:
    path = write_zipped_shapefile(tmp_path / "a.zip", FIELDS, prj=False)
    with pytest.raises(MissingCrs, match=r"\.prj.*--crs EPSG:3035"):
        read_vector(path)
    assert read_vector(path, crs="EPSG:3035").crs.to_epsg() == 3035
    with pytest.raises(MissingCrs, match="'EPSG:0' is no coordinate reference system"):
        read_vector(path, crs="EPSG:0")


def test_a_crs_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, ".zip")
    assert read_vector(path, crs="EPSG:3035").crs.to_epsg() == 3035
    with pytest.raises(InputRefused, match="leave out --crs"):
        read_vector(path, crs="EPSG:28992")


@pytest.mark.parametrize("kind", [".shp", ".gpkg", ".geojson", ".parquet"])
def test_an_empty_layer_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a{kind}"
    if kind == ".parquet":
        FIELDS[:0].to_parquet(path)
    else:
        pyogrio.write_dataframe(FIELDS[:0], path, geometry_type="Polygon")
    with pytest.raises(EmptyLayer, match="holds no feature"):
        read_vector(path)


@pytest.mark.parametrize("kind", [".shp", ".gpkg", ".geojson", ".parquet"])
def test_a_truncated_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableFile, match="fields"):
        read_vector(path)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="There is no file"):
        read_vector(tmp_path / "a.gpkg")
    (tmp_path / "b.gpkg").write_text("hello")
    with pytest.raises(UnreadableFile, match="cannot be read"):
        read_vector(tmp_path / "b.gpkg")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "c.parquet")
    with pytest.raises(UnreadableFile, match="Parquet without geometry"):
        read_vector(tmp_path / "c.parquet")
    pyogrio.write_dataframe(pd.DataFrame({"a": [1]}), tmp_path / "d.gpkg")
    with pytest.raises(InputRefused, match="0 layers with geometry"):
        read_vector(tmp_path / "d.gpkg")


@pytest.mark.parametrize("kind", ["GEOMETRY", "MULTISURFACE", "CURVEPOLYGON"])
def test_curves_become_lines_and_are_told(tmp_path: Path, kind: str) -> None:
    path = write_circles(tmp_path / "a.gpkg", [(4e6, 3.3e6), (4.001e6, 3.3e6)], radius=100)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE gpkg_geometry_columns SET geometry_type_name = ?", (kind,))
    connection.close()
    frame = read_vector(path)
    assert frame.attrs["linearized"] == [1, 2]
    made = prepare(frame, Columns(("PARCEL",)))
    assert made.frame["geom_fix"].tolist() == ["", "linearized", "linearized"]
    assert made.frame["GeomValid"].all()
    # a regular polygon of 90 corners has 0.99919 of its circle's area
    assert made.frame["Area_meters"][1:].to_numpy() == pytest.approx([31_390] * 2, rel=1e-4)


@pytest.mark.parametrize("kind", ["a.gpkg", "a.fgb", "a.geojson"])
def test_a_file_is_read_once_and_gives_what_its_layer_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Types and values of the attributes are those of a plain read, dates and flags included."""
    days = pd.to_datetime(["2024-05-04T10:00:00", None]).astype("datetime64[ms]")
    data = {"n": [1, 2], "flag": [True, False], "day": days, "text": ["ü", None], "x": [0.5, None]}
    shapes = [shapely.box(4e6, 3e6, 4e6 + 9, 3e6 + 9), shapely.box(4e6, 3e6, 4e6 + 5, 3e6 + 5)]
    gpd.GeoDataFrame(data, geometry=shapes, crs="EPSG:3035").to_file(tmp_path / kind)
    plain = pyogrio.read_dataframe(tmp_path / kind)
    reads: list[Path] = []
    read = pyogrio.read_dataframe

    def counted(path: Path, **options: object) -> object:
        reads.append(path)
        return read(path, **options)

    monkeypatch.setattr(pyogrio, "read_dataframe", counted)
    frame = read_vector(tmp_path / kind)
    assert len(reads) == 1
    assert frame.attrs["linearized"] == []
    assert_geodataframe_equal(frame, plain)


def test_null_empty_and_3d_features_come_through(tmp_path: Path) -> None:
    shapes = [None, Polygon(), shapely.force_3d(square(0, 0), 7), Point(4e6, 3.2e6), square(2, 0)]
    declarations(shapes).to_file(tmp_path / "a.gpkg")
    made = prepare(read_vector(tmp_path / "a.gpkg"), NAMED).frame
    assert made["reason"].tolist() == ["no_geometry", "empty_geometry", "", "empty_geometry", ""]
    assert made["geom_fix"].tolist() == ["", "", "flattened", "", ""]


def test_a_parcel_set_survives_its_file(tmp_path: Path) -> None:
    shapes = [square(2, 0), None, square(0, 0)]
    frame = prepare(declarations(shapes, crops=["1", None, "x"]), Columns(("PARCEL",))).frame
    write_parcels(tmp_path / "a.parquet", frame)
    back = read_parcels(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(
        pd.DataFrame(back.drop(columns="geometry")), pd.DataFrame(frame.drop(columns="geometry"))
    )
    assert back.geometry.to_wkb().tolist() == frame.geometry.to_wkb().tolist()
    assert back.crs == frame.crs


def test_the_same_parcels_give_the_same_bytes(tmp_path: Path) -> None:
    frame = prepare(FIELDS, NAMED).frame
    for name in ("a", "b"):
        write_parcels(tmp_path / f"{name}.parquet", frame.iloc[::-1] if name == "b" else frame)
        write_gpkg(tmp_path / f"{name}.gpkg", frame, "parcels", "<qgis/>")
    for kind in ("parquet", "gpkg"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


def test_a_subset_of_columns_is_read_with_its_geometry(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_parcels(path, prepare(FIELDS, NAMED).frame)
    assert list(read_parcels(path, ["NewID"]).columns) == ["NewID", "geometry"]
    with pytest.raises(MissingColumn, match="no column x"):
        read_parcels(path, ["NewID", "x"])
    assert json.loads(pq.read_schema(path).metadata[b"geo"])["version"] == "1.1.0"


def test_columns_that_geopackage_needs_itself_are_kept(tmp_path: Path) -> None:
    write_gpkg(tmp_path / "a.gpkg", FIELDS.assign(fid=0.5, geom="x"), "fields")
    back = read_vector(tmp_path / "a.gpkg")
    assert back["fid"].tolist() == [0.5] * 3
    assert back["geom"].tolist() == ["x"] * 3


def test_geoparquet_without_crs_needs_one(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    FIELDS.set_crs(None, allow_override=True).rename_geometry("shape").to_parquet(path)
    assert list(columns_of(path)) == ["PARCEL", "FARM", "CROP"]
    with pytest.raises(MissingCrs):
        read_vector(path)
    made = prepare(read_vector(path, crs="EPSG:3035"), NAMED)
    assert made.frame["Area_meters"].to_numpy() == pytest.approx([10_000] * 3, rel=1e-6)


def test_a_geopackage_opens_styled_and_is_plain_sql(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    frame = prepare(declarations([square(0, 0), None]), NAMED).frame
    write_gpkg(path, frame, "parcels", "<qgis>style</qgis>")
    back = read_vector(path, "parcels")
    assert back["NewID"].tolist() == [1, 2]
    assert back.geometry.isna().tolist() == [False, True]
    assert back.geometry[0].geom_type == "MultiPolygon"
    with sqlite3.connect(path) as connection:
        style = connection.execute(
            "SELECT f_table_name, f_geometry_column, styleQML, useAsDefault FROM layer_styles"
        ).fetchall()
        dates = connection.execute("SELECT DISTINCT last_change FROM gpkg_contents").fetchall()
    connection.close()
    assert style == [("parcels", "geom", "<qgis>style</qgis>", 1)]
    assert dates == [("2000-01-01T00:00:00.000Z",)]
    assert len(read_vector(path)) == 2  # the styles are no second layer

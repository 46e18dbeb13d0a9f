"""Declarations of 18 countries and regions in their own schema."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import shapely
from pyproj import Geod
from typer.testing import CliRunner

from sen4cap.cli import app
from sen4cap.geo.vector import read_parcels, read_vector, write_parcels
from sen4cap.parcels import Columns, prepare, read_lut

pytestmark = pytest.mark.data

# file: columns, and the parcels per reason. Counts of missing crops and equal geometries are
# those of GeoPandas on the files; the overlap in Lithuania is checked below.
SAMPLES = {
    "at_2025": (Columns(("GEO_ID",), ("FS_KENNUNG",), "SNAR_CODE"), {}),
    "be_vlg_2023": (Columns(("REF_ID",), (), "GWSCOD_H"), {}),
    "be_wal_2022": (Columns(("localId",)), {"no_crop": 10}),
    "bg_2024": (Columns(("PHBIDENT",)), {"no_crop": 100}),
    "ch": (Columns(("nutzungsidentifikator",), (), "lnf_code"), {}),
    "de_bb": (Columns(("ref_ident", "gp_xx"), (), "code"), {"no_crop": 29}),
    "dk_2026": (Columns(("Journalnr", "Marknr"), ("CVR",), "Afgkode"), {}),
    "es_cat_2023": (Columns((), (), "cultiu", id_from_geometry=True), {}),
    "fi": (Columns(("PERUSLOHKOTUNNUS", "LOHKONUMERO"), ("TUNNUS",), "KASVIKOODI"), {}),
    "ie_2024": (Columns(("localId",)), {"no_crop": 100}),
    "it_1_2023": (Columns(("cropfield",), ("off_id",), "original_code"), {}),
    "lt_2024": (Columns(("field_id",), (), "crop_name"), {"overlap": 1}),
    "lv_2021_eurocrops": (Columns(("PARCEL_ID",), (), "PRODUCT_CO"), {}),
    "nl_brp_2023": (Columns((), (), "gewascode", id_from_geometry=True), {}),
    "pt_aveiro": (Columns(("CUL_ID",), ("OSA_ID",), "CUL_CODIGO"), {"no_crop": 19}),
    "ro_eurocrops": (Columns((), (), "LC_MAPCODE", id_from_geometry=True), {"duplicate": 4}),
    "se_2023": (Columns(("blockid", "skiftesbet"), (), "grdkod_mar"), {}),
    "si_2021_eurocrops": (Columns(("ID",), (), "SIFRA_KMRS"), {}),
}


def sample(shared_data: Path, name: str) -> Path:
    return shared_data / "eu_lpis_native_samples" / f"{name}.gpkg"


@pytest.mark.parametrize("name", SAMPLES)
def test_a_national_sample_imports_whole(shared_data: Path, tmp_path: Path, name: str) -> None:
    columns, reasons = SAMPLES[name]
    declared = read_vector(sample(shared_data, name))
    made = prepare(declared, columns)
    assert dict(made.report.reasons) == reasons
    assert len(made.frame) == len(declared) == (10 if name in {"be_wal_2022", "se_2023"} else 100)
    assert made.frame["NewID"].tolist() == list(range(1, len(declared) + 1))
    assert made.frame["ori_id"].is_unique

    write_parcels(tmp_path / "a.parquet", made.frame)
    again = prepare(declared, columns, previous=read_parcels(tmp_path / "a.parquet"))
    assert again.report.unchanged == len(declared)
    assert again.changes.empty


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One installation for all countries."""
    return tmp_path_factory.mktemp("home")


def options(columns: Columns) -> list[str]:
    """The same columns on the command line."""
    words = [word for name in columns.parcel_id for word in ("--parcel-id-cols", name)]
    words += [word for name in columns.holding_id for word in ("--holding-id-cols", name)]
    words += ["--crop-code-col", columns.crop_code] if columns.crop_code else []
    return [*words, "--id-from-geometry"] if columns.id_from_geometry else words


@pytest.mark.parametrize("name", SAMPLES)
def test_a_national_sample_imports_on_the_command_line(
    shared_data: Path, home: Path, name: str
) -> None:
    def told(*words: object) -> Any:
        environment = {"SEN4CAP_HOME": str(home)}
        result = CliRunner().invoke(app, [*map(str, words), "--json"], env=environment)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    columns, reasons = SAMPLES[name]
    count = 10 if name in {"be_wal_2022", "se_2023"} else 100
    told("site", "create", name)
    done = told("lpis", "import", name, 2023, sample(shared_data, name), *options(columns))
    assert (done["version"], done["report"]["parcels"]) == (1, count)
    assert done["report"]["reasons"] == reasons
    assert told("site", "show", name)["tiles"]
    with sqlite3.connect(home / "sen4cap.sqlite") as connection:
        view = f'select count(distinct ori_id), min("Area_meters") from decl_{name}_2023'
        identified, smallest = connection.execute(view).fetchone()
    connection.close()
    assert identified == count
    assert smallest > 0


@pytest.mark.parametrize("name", ["ie_2024", "lt_2024", "nl_brp_2023", "de_bb", "bg_2024"])
def test_areas_agree_with_geodesic_polygons(shared_data: Path, name: str) -> None:
    declared = read_vector(sample(shared_data, name))
    frame = prepare(declared, SAMPLES[name][0]).frame
    degrees = shapely.orient_polygons(frame.geometry.to_crs("EPSG:4326").to_numpy())
    globe = Geod(ellps="WGS84")
    expected = np.array([globe.geometry_area_perimeter(item)[0] for item in degrees])
    assert frame["Area_meters"].to_numpy() == pytest.approx(expected, rel=1e-4)


def test_the_lithuanian_overlap_is_real(shared_data: Path) -> None:
    declared = read_vector(sample(shared_data, "lt_2024"))
    frame = prepare(declared, SAMPLES["lt_2024"][0]).frame
    row = frame[frame["Overlap"]].iloc[0]
    others = shapely.union_all(frame.geometry[frame["NewID"] != row["NewID"]].to_numpy())
    share = shapely.area(shapely.intersection(row.geometry, others)) / row.geometry.area
    assert row["overlap_ratio"] == pytest.approx(share, rel=1e-9)
    assert share > 0.10


def test_codes_keep_leading_zeros_and_lose_decimals(shared_data: Path) -> None:
    pt = prepare(read_vector(sample(shared_data, "pt_aveiro")), SAMPLES["pt_aveiro"][0]).frame
    assert "006" in set(pt["ori_crop"].dropna())
    dk = prepare(read_vector(sample(shared_data, "dk_2026")), SAMPLES["dk_2026"][0]).frame
    assert "593" in set(dk["ori_crop"])
    at = prepare(read_vector(sample(shared_data, "at_2025")), SAMPLES["at_2025"][0]).frame
    assert "106806035" in set(at["ori_id"])


# known: declared codes that csv and sqlite3 find in the table
@pytest.mark.parametrize(
    ("name", "codes", "known"),
    [("nl_brp_2023", "nl_2020", 91), ("si_2021_eurocrops", "si_2021", 100)],
)
def test_crop_tables_of_the_countries_make_look_up_tables(
    shared_data: Path, tmp_path: Path, name: str, codes: str, known: int
) -> None:
    path = shared_data / "eu_lpis_native_samples" / "hcat_mappings" / f"{codes}.csv"
    table = pl.read_csv(path, infer_schema=False, encoding="utf8-lossy")
    classes = table.unique("original_code", keep="first", maintain_order=True).select(
        pl.col("original_code").alias("Ori_crop"),
        pl.col("translated_name").alias("CT"),
        pl.lit(1).alias("LC"),
        pl.col("HCAT3_code").alias("CTnumL4A"),
        pl.col("HCAT3_name").alias("CTL4A"),
    )
    classes.write_csv(tmp_path / "lut.csv")
    lut = read_lut(tmp_path / "lut.csv")
    made = prepare(read_vector(sample(shared_data, name)), SAMPLES[name][0], lut=lut)
    found = 100 - sum(made.report.unknown_crops.values())
    assert made.report.reasons.get("crop_not_in_lut", 0) == 100 - found
    assert found == known


def test_de_marke_agrees_with_the_register(shared_data: Path) -> None:
    folder = shared_data / "nl_demarke_brp2017_ndvi"
    declared = read_vector(folder / "parcels.gpkg")
    made = prepare(declared, Columns(("parcel_id",), (), "crop_code"))
    assert made.report.declared == made.report.parcels == 1690
    register = dict(zip(declared["parcel_id"].astype(str), declared["area_m2"], strict=True))
    frame = made.frame.set_index("ori_id")
    planar = np.array([register[item] for item in frame.index])
    # the Dutch grid is 0.9999 to scale in its middle: areas on the ellipsoid are up to 2e-4 more
    assert frame["Area_meters"].to_numpy() == pytest.approx(planar, rel=3e-4, abs=1)

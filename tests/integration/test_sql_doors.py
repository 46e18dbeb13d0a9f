"""What operators do in SQL, and what a database does to us."""

from __future__ import annotations

import logging
import re
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import polars as pl
import pytest
import shapely
from sqlalchemy import text

from sen4cap.domain import ConfigMetadata, DataType, ParcelSet, Site
from sen4cap.domain.parcel import COLUMNS
from sen4cap.errors import (
    Conflict,
    InputRefused,
    InvalidParameter,
    Sen4capError,
    ServiceUnavailable,
)
from sen4cap.store import SqlStore, open_store
from sen4cap.store.engine import writing
from sen4cap.store.rows import DECLARED, LUT, column_name

TREES = ConfigMetadata("processor.s4c_l4a.num-trees", "Number of trees", DataType.INT, "300")
OTHER = ConfigMetadata("general.scratch", "Scratch folder", DataType.DIRECTORY, "/tmp")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    url = (
        f"sqlite:///{tmp_path / 's.sqlite'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgresql_url")
    )
    opened = open_store(url)
    opened.upgrade()
    opened.sites.add(Site("Flevoland", "flevo"))
    opened.sites.add(Site("Elsewhere", "else"))
    opened.config.sync([TREES, OTHER])
    yield opened
    opened.close()


def ask(store: SqlStore, statement: str) -> list[tuple[Any, ...]]:
    with store.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def tell(store: SqlStore, statement: str) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_the_two_queries_every_operator_knows(store: SqlStore) -> None:
    known = ask(store, "select key, friendly_name from config_metadata;")
    assert sorted(known) == [
        ("general.scratch", "Scratch folder"),
        ("processor.s4c_l4a.num-trees", "Number of trees"),
    ]
    with store.engine.connect() as connection:
        query = text("select key, value from config where key like '%l4a%';")
        assert [tuple(row) for row in connection.execute(query)] == [
            ("processor.s4c_l4a.num-trees", "300")
        ]


def test_an_update_in_sql_counts_and_survives_an_upgrade(store: SqlStore) -> None:
    tell(store, "update config set value='200' where key='processor.s4c_l4a.num-trees'")
    assert store.config.values(prefix="processor.") == {TREES.key: "200"}
    store.upgrade()
    store.config.sync([TREES, OTHER])
    (entry,) = store.config.entries(prefix=TREES.key)
    assert (entry.value, entry.is_default) == ("200", False)
    tell(store, "delete from config")
    store.config.sync([TREES, OTHER])
    assert store.config.values(prefix=TREES.key) == {TREES.key: "300"}


SQUARE = shapely.MultiPolygon([shapely.box(170000, 520000, 170050, 520050)])


def parcels(count: int, crop: str = "233") -> gpd.GeoDataFrame:
    numbers = np.arange(1, count + 1)
    filled = {name: np.full(count, "") for name in COLUMNS} | {
        "NewID": numbers,
        "ori_id": [f"f{number}" for number in numbers],
        "HoldID": numbers // 7 + 1,
        "ori_hold": [f"h{number // 7 + 1}" for number in numbers],
        "ori_crop": [crop] * count,
        **dict.fromkeys(("GeomValid", "Duplic", "Overlap", "is_deleted"), numbers == 1),
        **dict.fromkeys(("overlap_ratio", "Area_meters", "ShapeInd"), numbers / 4),
        "n_parts": np.ones(count, int),
        "geom_change_ratio": np.full(count, np.nan),
        "Vernacular": ["öt", None] * (count // 2) + ["öt"] * (count % 2),
        "ha": np.where(numbers == 1, np.inf, 0.5),
        "since": np.full(count, np.datetime64("2018-01-31")),
    }
    return gpd.GeoDataFrame(filled, geometry=[SQUARE] * count, crs="EPSG:28992")


def parcel_set(version: int, count: int) -> ParcelSet:
    return ParcelSet("flevo", 2018, version, Path("/p.parquet"), "d" * 32, count)


def test_columns_of_the_set_have_their_column_in_sql() -> None:
    assert list(DECLARED) == [column_name(name) for name in COLUMNS]
    assert column_name("GeomValid") == "geom_valid"
    assert column_name("Area_meters") == "area_meters"


def test_parcels_show_under_the_names_operators_know(store: SqlStore) -> None:
    store.parcels.write(parcel_set(1, 2), parcels(2), {})
    store.parcels.write(parcel_set(2, 2), parcels(2, "259"), {})
    place = pl.DataFrame(
        {"new_id": [2], "s1_pix": [4], "s2_pix": [25], "home_s1": ["a"], "home_s2": ["b"]}
    )
    store.parcels.place("flevo", 2018, place)
    rows = ask(
        store,
        'select "NewID","HoldID",ori_id,ori_hold,ori_crop,"GeomValid","Duplic","Overlap",'
        '"Area_meters","ShapeInd","S1Pix","S2Pix",is_deleted,geom_change_ratio,reason,srid '
        'from decl_flevo_2018 order by "NewID"',
    )
    yes, no = (1, 0) if store.engine.dialect.name == "sqlite" else (True, False)
    assert rows == [
        (1, 1, "f1", "h1", "259", yes, yes, yes, 0.25, 0.25, None, None, yes, None, "", 28992),
        (2, 1, "f2", "h1", "259", no, no, no, 0.5, 0.5, 4, 25, no, None, "", 28992),
    ]
    (wkb,), _ = ask(store, "select wkb_geometry from decl_flevo_2018")
    assert shapely.from_wkb(wkb).equals(SQUARE)


def test_further_declared_columns_are_json(store: SqlStore) -> None:
    store.parcels.write(parcel_set(1, 2), parcels(2), {})
    arrow = "->>" if store.engine.dialect.name == "postgresql" else "->"
    if arrow == "->>":
        query = "select attributes->>'Vernacular', attributes->>'ha', attributes->>'since'"
    else:
        query = (
            "select json_extract(attributes, '$.Vernacular'), json_extract(attributes, '$.ha'),"
            " json_extract(attributes, '$.since')"
        )
    (first, second) = ask(store, f'{query} from decl_flevo_2018 order by "NewID"')
    assert first[:2] == ("öt", None)
    assert (second[0], float(second[1])) == (None, 0.5)
    assert str(first[2]).startswith("2018-01-31")


def test_the_view_follows_imports_and_rollbacks(store: SqlStore) -> None:
    count = 'select count(*), min(ori_crop) from "decl_flevo_2018"'
    store.parcels.write(parcel_set(1, 3), parcels(3), {})
    assert ask(store, count) == [(3, "233")]
    store.parcels.write(parcel_set(2, 1), parcels(1, "259"), {})
    assert ask(store, count) == [(1, "259")]
    store.parcels.rollback("flevo", 2018, 2)
    assert ask(store, count) == [(3, "233")]
    store.parcels.rollback("flevo", 2018, 1)
    assert ask(store, count) == [(0, None)]


def test_an_unchanged_parcel_costs_no_row(store: SqlStore) -> None:
    frame = parcels(50)
    store.parcels.write(parcel_set(1, 50), frame, {})
    shuffled = frame.sample(frac=1, random_state=0).convert_dtypes()
    store.parcels.write(parcel_set(2, 50), shuffled, {})
    assert ask(store, "select count(*) from parcel") == [(50,)]
    frame.loc[frame["NewID"] == 7, "Vernacular"] = "changed"
    store.parcels.write(parcel_set(3, 50), frame, {})
    rows = ask(store, "select new_id, version_from, version_to from parcel where new_id = 7")
    assert sorted(rows, key=str) == [(7, 1, 3), (7, 3, None)]
    assert ask(store, "select count(*) from parcel") == [(51,)]


def test_geometries_may_be_missing(store: SqlStore) -> None:
    frame = parcels(2)
    frame["geometry"] = gpd.GeoSeries([None, shapely.MultiPolygon()])
    plain = frame.set_crs(None, allow_override=True).drop(columns=["Vernacular", "ha", "since"])
    store.parcels.write(parcel_set(1, 2), plain, {})
    rows = ask(store, 'select wkb_geometry, srid from decl_flevo_2018 order by "NewID"')
    assert rows[0] == (None, 0)
    assert shapely.from_wkb(rows[1][0]).is_empty


def test_the_lut_view_has_the_columns_of_the_lut(store: SqlStore) -> None:
    row = {name: ["1"] if kind == pl.String else [1] for name, kind in LUT.items()}
    store.parcels.write_lut("flevo", 2018, pl.DataFrame(row))
    store.parcels.write_lut("else", 2018, pl.DataFrame(row | {"ct": ["far"]}))
    columns = "ori_crop,ctnum,ct,lc,ctnuml4a,ctl4a,ctnumdiv,ctdiv,eaa,al,pgrass,tgrass,fallow"
    found = ask(store, f"select {columns}, cwater from lut_flevo_2018")
    assert found == [("1", 1, "1", 1, 1, "1", 1, "1", 1, 1, 1, 1, 1, 1)]


def test_an_import_that_fails_leaves_nothing(store: SqlStore) -> None:
    with pytest.raises(InputRefused, match="stored as JSON"):
        store.parcels.write(parcel_set(1, 2), parcels(2), {"ratio": float("nan")})
    for table in ("parcel", "parcel_identity", "holding_identity", "parcel_set"):
        assert ask(store, f"select count(*) from {table}") == [(0,)]
    with pytest.raises(InvalidParameter, match="cannot name a view"):
        store.parcels.write(ParcelSet("flevo", 20180, 1, Path("/p"), "d" * 32, 1), parcels(1), {})
    assert ask(store, "select count(*) from parcel") == [(0,)]


def test_writers_wait_for_each_other(store: SqlStore) -> None:
    def add(number: int) -> None:
        store.sites.add(Site("S", f"s{number}"))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.sites.all()) == 10


def test_a_reader_does_not_wait_for_a_writer(store: SqlStore) -> None:
    with writing(store.engine) as connection:
        connection.execute(text("update site set name = 'new'"))
        assert [site.name for site in store.sites.all()] == ["Elsewhere", "Flevoland"]
    assert [site.name for site in store.sites.all()] == ["new", "new"]


def test_a_row_against_the_constraints_is_a_conflict(store: SqlStore) -> None:
    with pytest.raises(Conflict, match="refuses the change"), writing(store.engine) as connection:
        connection.execute(text("insert into config (key, site_id, value) values ('a', 99, '1')"))


@pytest.mark.postgresql
def test_a_value_postgresql_cannot_hold_is_refused(postgresql_url: str) -> None:
    store = open_store(postgresql_url)
    store.upgrade()
    with pytest.raises(InputRefused, match="cannot hold a value"):
        store.sites.add(Site("with \x00", "a"))
    store.close()


@pytest.mark.postgresql
def test_tables_and_columns_are_the_same_on_postgresql(postgresql_url: str) -> None:
    store = open_store(postgresql_url)
    store.upgrade()
    kinds = dict(
        ask(
            store,
            "select column_name, udt_name from information_schema.columns "
            "where table_name = 'product'",
        )
    )
    assert kinds["start_time"] == "timestamptz"
    assert kinds["assets"] == "json"
    store.close()


# ---- a database that is not there, and its password

SECRET = "s3cr3t!"


def refusal(url: str) -> str:
    with pytest.raises(Sen4capError) as caught:
        open_store(url)
    return "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@127.0.0.1:1/sen4cap",
        f"postgresql+psycopg://127.0.0.1:1/sen4cap?user=me&password={SECRET}",
    ],
)
def test_an_unreachable_database_is_named_without_its_password(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(
        ServiceUnavailable, match=r"'sen4cap' on '127\.0\.0\.1' cannot be used"
    ) as error:
        open_store(url)
    assert "Check that it runs" in str(error.value)
    assert SECRET not in refusal(url)
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "url", [f"mysql://me:{SECRET}@h/d", f"me:{SECRET}", f"x://:{SECRET}@h:y/z"]
)
def test_another_kind_of_address_is_refused(url: str) -> None:
    message = refusal(url)
    assert re.search(r"InvalidParameter: The database address cannot be used", message)
    assert SECRET not in message


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be read as a header of one" * 20)
    with pytest.raises(InputRefused, match=r"notes\.txt' is no SQLite database"):
        open_store(f"sqlite:///{path}")
    assert path.read_text().startswith("not a database")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ServiceUnavailable, match="file' of the database cannot be made"):
        open_store(f"sqlite:///{tmp_path / 'file' / 's.sqlite'}")


@pytest.mark.postgresql
def test_a_store_shows_no_password(postgresql_url: str) -> None:
    store = open_store(postgresql_url.replace("postgres@", f"postgres:{SECRET.strip('!')}@"))
    assert SECRET.strip("!") not in repr(store)
    assert SECRET.strip("!") not in str(store.jobs)
    store.close()

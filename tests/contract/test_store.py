"""What every store does alike. Expected values are worked out by hand from the port's words."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import polars as pl
import pytest
import shapely

from sen4cap.app.ports import Store
from sen4cap.domain import (
    Asset,
    ConfigEntry,
    ConfigMetadata,
    DataType,
    Grid,
    Job,
    ParcelSet,
    Product,
    ProductType,
    Role,
    Season,
    Sensor,
    Site,
    Status,
)
from sen4cap.domain.parcel import COLUMNS
from sen4cap.errors import Conflict, InputRefused, InvalidParameter, MissingColumn, NotFound
from sen4cap.processing import Params, Processor

FLEVO = Site("Flevoland", "flevo", "Europe/Amsterdam")
LUX = Site("Lëtzebuerg", "lux")
NOON = datetime(2018, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def sited(store: Store) -> Store:
    store.sites.add(FLEVO)
    store.sites.add(LUX)
    return store


# ---- sites, seasons, grids


def test_a_site_comes_back_as_it_went_in(store: Store) -> None:
    store.sites.add(LUX)
    store.sites.add(FLEVO)
    assert store.sites.all() == [FLEVO, LUX]
    wide = replace(FLEVO, footprint="POLYGON ((5 52, 6 52, 6 53, 5 52))")
    store.sites.replace(wide)
    assert store.sites.get("flevo") == wide
    assert store.sites.get("lux") == LUX


def test_a_site_has_a_number(sited: Store) -> None:
    numbers = {name: number for number, name in sited.sites.numbers().items()}
    assert set(numbers) == {"flevo", "lux"}
    sited.sites.replace(replace(FLEVO, name="Another"))
    sited.sites.remove("lux")
    assert sited.sites.numbers() == {numbers["flevo"]: "flevo"}


def test_a_site_is_added_once(sited: Store) -> None:
    with pytest.raises(Conflict, match="'flevo' exists"):
        sited.sites.add(replace(FLEVO, name="Another"))
    assert sited.sites.get("flevo").name == "Flevoland"


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.sites.get("nowhere"),
        lambda store: store.sites.replace(Site("Nowhere", "nowhere")),
        lambda store: store.seasons.all("nowhere"),
        lambda store: store.grids.all("nowhere"),
        lambda store: store.products.search("nowhere"),
        lambda store: store.config.values(site="nowhere"),
        lambda store: store.jobs.all("nowhere"),
        lambda store: store.jobs.add(Job("l3b", "nowhere", "2018")),
        lambda store: store.parcels.current("nowhere", 2018),
        lambda store: store.parcels.identities("nowhere", 2018),
        lambda store: store.parcels.lut("nowhere", 2018),
    ],
)
def test_an_unknown_site_is_named_with_the_known_ones(sited: Store, call: Any) -> None:
    with pytest.raises(NotFound, match="no site 'nowhere'; there are: flevo, lux"):
        call(sited)


def season(name: str, start: str, end: str, **more: Any) -> Season:
    return Season("flevo", name, date.fromisoformat(start), date.fromisoformat(end), **more)


def test_seasons_come_back_sorted_by_start(sited: Store) -> None:
    winter = season("2019", "2018-10-01", "2019-09-30", mid=date(2019, 5, 1))
    summer = season("2018", "2018-03-01", "2018-10-31")
    sited.seasons.add(winter)
    sited.seasons.add(summer)
    assert sited.seasons.all("flevo") == [summer, winter]
    assert sited.seasons.get("flevo", "2019") == winter
    assert sited.seasons.all("lux") == []
    with pytest.raises(NotFound, match="2018, 2019"):
        sited.seasons.get("flevo", "2017")


@pytest.mark.parametrize(
    ("start", "end", "refused"),
    [
        ("2018-03-01", "2018-10-31", True),
        ("2018-05-01", "2018-06-30", True),
        ("2018-02-28", "2018-10-31", False),
        ("2018-03-01", "2018-11-01", False),
        ("2018-01-01", "2018-12-31", False),
    ],
)
def test_a_season_inside_an_enabled_one_is_refused(
    sited: Store, start: str, end: str, refused: bool
) -> None:
    summer = season("summer", "2018-03-01", "2018-10-31")
    sited.seasons.add(summer)
    if refused:
        with pytest.raises(Conflict, match="inside season 'summer'"):
            sited.seasons.add(season("other", start, end))
        sited.seasons.replace(replace(summer, enabled=False))
    sited.seasons.add(season("other", start, end))
    assert {item.name for item in sited.seasons.all("flevo")} == {"summer", "other"}


def test_a_season_name_is_given_once_per_site(sited: Store) -> None:
    sited.seasons.add(season("2018", "2018-03-01", "2018-10-31"))
    with pytest.raises(Conflict, match="'2018' exists"):
        sited.seasons.add(season("2018", "2019-03-01", "2019-10-31"))
    sited.seasons.add(replace(season("2018", "2018-03-01", "2018-10-31"), site="lux"))


TEN = Grid("31UFU", "EPSG:32631", (10.0, 0.0, 600000.0, 0.0, -10.0, 5900040.0), 10980, 10980)


def test_of_two_equal_extents_the_finer_grid_is_kept(sited: Store) -> None:
    assert sited.grids.add("flevo", TEN.at(20)) == TEN.at(20)
    assert sited.grids.add("flevo", TEN) == TEN
    assert sited.grids.add("flevo", TEN.at(60)) == TEN
    radar = replace(TEN.at(20), sensor=Sensor.S1)
    other = replace(TEN, name="31UET", transform=(10.0, 0.0, 5e5, 0.0, -10.0, 5800000.1))
    for grid in (radar, other, other):
        sited.grids.add("flevo", grid)
    assert sited.grids.all("flevo") == [radar, other, TEN]


@pytest.mark.parametrize(
    "other", [replace(TEN, crs="EPSG:32632"), replace(TEN, width=10979), replace(TEN, height=1)]
)
def test_a_grid_elsewhere_needs_another_name(sited: Store, other: Grid) -> None:
    sited.grids.add("flevo", TEN)
    with pytest.raises(Conflict, match=r"'31UFU'.*another name"):
        sited.grids.add("flevo", other)
    assert sited.grids.all("flevo") == [TEN]


# ---- products


def product(name: str, **more: Any) -> Product:
    fields: dict[str, Any] = {
        "site": "flevo",
        "type": ProductType.L3B,
        "grid": "31UFU",
        "start": NOON,
        "end": NOON,
        "revision": "a" * 32,
    }
    return Product(name, **{**fields, **more})


def test_a_product_comes_back_as_it_went_in(sited: Store) -> None:
    scene = product("scene", type=ProductType.L2A)
    ndvi = product(
        "ndvi",
        start=NOON + timedelta(microseconds=7),
        end=NOON + timedelta(microseconds=7),
        assets=(
            Asset("ndvi", "/a/b.tif", scale=0.0001, offset=-0.1, nodata=-32768.0),
            Asset("report", "/a/c.json", Role.METADATA, "application/json", nodata=None),
            Asset("ndti", "/a/d.tif", index=2, nodata=float("inf")),
        ),
        footprint="POLYGON ((5 52, 6 52, 6 53, 5 52))",
        processor="l3b/1",
        parents=("scene", "angles"),
        properties={"eo:cloud_cover": 12.5, "bands": ["é", None], "ok": True},
    )
    sited.products.commit([scene, ndvi])
    assert sited.products.get("ndvi") == ndvi
    assert sited.products.get("scene") == scene
    assert sited.products.get("ndvi").start.tzinfo is UTC


def test_a_nodata_that_is_not_a_number_comes_back(sited: Store) -> None:
    sited.products.commit([product("p", assets=(Asset("ndvi", "/p.tif", nodata=float("nan")),))])
    (asset,) = sited.products.get("p").assets
    assert asset.nodata is not None
    assert math.isnan(asset.nodata)


@pytest.mark.parametrize("kind", list(ProductType))
def test_every_product_type_can_be_stored(sited: Store, kind: ProductType) -> None:
    sited.products.commit([product("p", type=kind)])
    assert sited.products.search("flevo", types=[kind]) == [product("p", type=kind)]


def test_a_new_revision_takes_over_the_slot(sited: Store) -> None:
    old, new = product("old"), product("new", revision="b" * 32)
    assert sited.products.current(old.slot) is None
    sited.products.commit([old])
    sited.products.commit([new])
    assert sited.products.current(old.slot) == new
    assert sited.products.search("flevo") == [new]
    assert sited.products.search("flevo", current=False) == [new, old]
    sited.products.commit([old])
    assert sited.products.current(old.slot) == old


def test_a_commit_is_repeated_without_harm(sited: Store) -> None:
    first = product("p", properties={"n": 1})
    sited.products.commit([first, first])
    sited.products.commit([product("p", properties={"n": 2})])
    assert sited.products.search("flevo", current=False) == [first]


def test_a_commit_is_all_or_nothing(sited: Store) -> None:
    sited.products.commit([product("taken")])
    for wrong in (product("taken", revision="c" * 32), product("taken", site="lux")):
        with pytest.raises(Conflict, match="'taken' exists"):
            sited.products.commit([product("fresh", grid="31UGU"), wrong])
    with pytest.raises(NotFound, match="no product 'fresh'"):
        sited.products.get("fresh")
    assert sited.products.search("flevo", current=False) == [product("taken")]


def test_grids_and_products_are_committed_together(sited: Store) -> None:
    elsewhere = replace(TEN, width=10979)
    radar = replace(TEN, sensor=Sensor.S1)
    sited.products.commit([product("p")], grids=[("flevo", TEN.at(20)), ("flevo", TEN)])
    assert sited.grids.all("flevo") == [TEN]
    for wrong in ([("flevo", radar), ("flevo", elsewhere)], [("flevo", radar), ("nowhere", TEN)]):
        with pytest.raises((Conflict, NotFound)):
            sited.products.commit([product("fresh", grid="31UGU")], grids=wrong)
    with pytest.raises(Conflict, match="'p' exists"):
        sited.products.commit([product("p", revision="c" * 32)], grids=[("lux", TEN)])
    assert sited.grids.all("flevo") == [TEN]
    assert sited.grids.all("lux") == []
    assert sited.products.search("flevo", current=False) == [product("p")]


def test_search_is_half_open_and_sorted(sited: Store) -> None:
    day = timedelta(days=1)
    items = {
        name: product(name, grid=grid, start=NOON + shift, end=NOON + shift)
        for name, grid, shift in [
            ("d", "31UFU", 2 * day),
            ("b", "31UFU", day),
            ("c", "31UET", day),
            ("a", "31UFU", 0 * day),
        ]
    }
    elsewhere = product("e", site="lux", type=ProductType.L2A)
    sited.products.commit([*items.values(), elsewhere])
    found = sited.products.search("flevo", start=NOON, end=NOON + 2 * day)
    assert [item.name for item in found] == ["a", "c", "b"]
    local = NOON.astimezone(timezone(timedelta(hours=9))) + day
    assert sited.products.search("flevo", start=local, grid="31UFU") == [items["b"], items["d"]]
    assert sited.products.search("flevo", types=[ProductType.L2A]) == []
    assert sited.products.search("lux", types=[ProductType.L2A, ProductType.L3B]) == [elsewhere]


def test_many_products_are_committed_at_once(sited: Store) -> None:
    moments = [NOON + timedelta(minutes=number) for number in range(2500)]
    many = [
        product(f"p{number:04d}", start=moment, end=moment, parents=(f"q{number}", "r"))
        for number, moment in enumerate(moments)
    ]
    sited.products.commit(many)
    assert sited.products.search("flevo") == many


# ---- configuration


def declared(key: str, default: str, **more: Any) -> ConfigMetadata:
    return ConfigMetadata(key, key.rpartition(".")[2].title(), DataType.INT, default, **more)


TREES = declared(
    "processor.s4c_l4a.num-trees",
    "300",
    description="Trees of the forest",
    unit="1",
    category="L4A",
    is_advanced=True,
    values={"min": 0, "max": 1000},
)
NODE = declared("processor.s4c_l4a.min-node-size", "10", category="L4A")
PORT = declared("general.port", "8080", is_site_visible=False)


@pytest.fixture
def configured(sited: Store) -> Store:
    sited.config.sync([TREES, NODE, PORT])
    return sited


def test_declarations_come_back_sorted_by_key(configured: Store) -> None:
    assert configured.config.metadata() == [PORT, NODE, TREES]
    assert configured.config.metadata("processor.") == [NODE, TREES]
    assert configured.config.entries(prefix=TREES.key) == [ConfigEntry(TREES.key, "300")]


def test_the_site_comes_before_the_global_value(configured: Store) -> None:
    config = configured.config
    config.set(TREES.key, "200")
    config.set(TREES.key, "100", site="flevo")
    assert config.values(prefix=TREES.key) == {TREES.key: "200"}
    assert config.values("lux", TREES.key) == {TREES.key: "200"}
    assert config.values("flevo") == {PORT.key: "8080", NODE.key: "10", TREES.key: "100"}
    assert config.entries("flevo", "processor.") == [
        ConfigEntry(NODE.key, "10"),
        ConfigEntry(TREES.key, "100", "flevo", is_default=False),
    ]
    config.unset(TREES.key, site="flevo")
    assert config.values("flevo", TREES.key) == {TREES.key: "200"}
    config.unset(TREES.key)
    assert config.entries(prefix=TREES.key) == [ConfigEntry(TREES.key, "300")]


def test_a_default_is_followed_and_a_users_value_stays(configured: Store) -> None:
    config = configured.config
    config.set(TREES.key, "200")
    config.set(NODE.key, "7", site="flevo")
    config.sync([replace(TREES, default_value="500"), replace(NODE, default_value="20"), PORT])
    assert config.values(prefix="processor.") == {NODE.key: "20", TREES.key: "200"}
    assert config.values("flevo", NODE.key) == {NODE.key: "7"}
    assert config.metadata(TREES.key) == [replace(TREES, default_value="500")]
    assert not config.entries(prefix=TREES.key)[0].is_default


def test_a_key_that_vanished_stays_only_where_a_user_changed_it(configured: Store) -> None:
    configured.config.set(TREES.key, "200")
    configured.config.sync([PORT])
    assert configured.config.metadata() == [PORT]
    assert configured.config.values() == {PORT.key: "8080", TREES.key: "200"}
    configured.config.sync([TREES, PORT])
    assert configured.config.values(prefix=TREES.key) == {TREES.key: "200"}


def test_a_prefix_is_literal(sited: Store) -> None:
    sited.config.sync([declared("a_b.x", "1"), declared("azb.x", "2"), declared("a%b.x", "3")])
    assert sited.config.values(prefix="a_") == {"a_b.x": "1"}
    assert sited.config.values(prefix="a%") == {"a%b.x": "3"}
    assert sited.config.values(prefix="A_") == {}


def test_an_undeclared_key_is_refused(configured: Store) -> None:
    with pytest.raises(NotFound, match=r"no configuration key.*num-trees"):
        configured.config.set("processor.s4c_l4a.trees", "1")
    with pytest.raises(NotFound, match="no configuration key"):
        configured.config.unset("nonsense")
    with pytest.raises(InvalidParameter, match="same for all sites"):
        configured.config.set(PORT.key, "1", site="flevo")
    with pytest.raises(NotFound, match="no site 'nowhere'"):
        configured.config.set(TREES.key, "1", site="nowhere")
    assert configured.config.values("flevo") == {PORT.key: "8080", NODE.key: "10", TREES.key: "300"}


# ---- jobs


def test_a_job_runs_to_its_end(sited: Store) -> None:
    asked = Job("l3b", "flevo", "2018", {"a": [1, None]}, submitted=NOON)
    job = sited.jobs.add(asked)
    assert job == replace(asked, id=job.id)
    running = replace(job, status=Status.RUNNING, started=NOON + timedelta(seconds=1))
    assert sited.jobs.update(running) == running
    failed = replace(running, status=Status.FAILED, reason="No input.", ended=NOON)
    sited.jobs.update(failed)
    assert sited.jobs.get(job.id or 0) == failed
    history = sited.jobs.history(job.id or 0)
    assert [status for status, _ in history] == [Status.ACCEPTED, Status.RUNNING, Status.FAILED]
    assert all(instant.tzinfo is UTC for _, instant in history)


def test_a_forbidden_change_of_a_job_changes_nothing(sited: Store) -> None:
    job = sited.jobs.add(Job("l3b", "flevo", "2018"))
    with pytest.raises(Conflict, match="accepted cannot become successful"):
        sited.jobs.update(replace(job, status=Status.SUCCESSFUL, reason="hm"))
    sited.jobs.update(replace(job, parameters={"b": 2}))
    assert sited.jobs.get(job.id or 0) == replace(job, parameters={"b": 2})
    assert len(sited.jobs.history(job.id or 0)) == 1


def test_jobs_are_listed_newest_first(sited: Store) -> None:
    first, second, third = (
        sited.jobs.add(Job("l3b", site, "2018")) for site in ("flevo", "lux", "flevo")
    )
    assert sited.jobs.all() == [third, second, first]
    assert sited.jobs.all("flevo", limit=1) == [third]
    assert sited.jobs.all("lux") == [second]


def test_an_unknown_job_is_refused(sited: Store) -> None:
    for call in (sited.jobs.get, sited.jobs.history):
        with pytest.raises(NotFound, match="no job 7"):
            call(7)
    with pytest.raises(NotFound, match="no job 7"):
        sited.jobs.update(Job("l3b", "flevo", "2018", id=7))
    with pytest.raises(Conflict, match="Job 7 was added"):
        sited.jobs.add(Job("l3b", "flevo", "2018", id=7))


def test_a_product_knows_its_job(sited: Store) -> None:
    job = sited.jobs.add(Job("l3b", "flevo", "2018"))
    sited.products.commit([product("p")], job_id=job.id)
    assert sited.products.get("p") == product("p")


# ---- processors


def installed(version: str) -> Processor:
    return Processor(
        id="l3b",
        version=version,
        title="Vegetation indices",
        description="",
        category="L3B",
        params=Params,
        consumes=(ProductType.L2A,),
        produces=ProductType.L3B,
        needs_parcels=False,
        select=lambda *_: (),
        run=lambda *_: product("p"),
    )


def test_processors_are_known_with_their_newest_version(store: Store) -> None:
    assert store.processors.versions() == {}
    store.processors.sync([installed("1"), replace(installed("7"), id="a")])
    store.processors.sync([installed("2")])
    assert store.processors.versions() == {"a": "7", "l3b": "2"}


# ---- parcels


def parcel(number: int, **more: Any) -> dict[str, Any]:
    return {
        "NewID": number,
        "ori_id": f"field-{number}",
        "ori_hold": "farm-ä",
        "HoldID": 1,
        "ori_crop": "233",
        "GeomValid": True,
        "geom_fix": "",
        "Duplic": False,
        "Overlap": False,
        "overlap_ratio": 0.0,
        "Area_meters": 2500.0,
        "ShapeInd": 1.128,
        "n_parts": 1,
        "geom_hash": f"{number:016x}",
        "geom_change_ratio": float("nan"),
        "is_deleted": False,
        "reason": "",
        "owner": 'Jansen, "de\noude"',
        "hectares": 0.25,
        **more,
    }


def parcels(*rows: dict[str, Any]) -> gpd.GeoDataFrame:
    numbers = [row["NewID"] for row in rows]
    squares = [shapely.MultiPolygon([shapely.box(n, 0, n + 50, 50)]) for n in numbers]
    return gpd.GeoDataFrame(pd.DataFrame(list(rows)), geometry=squares, crs="EPSG:28992")


def version(number: int, count: int = 2, year: int = 2018) -> ParcelSet:
    return ParcelSet("flevo", year, number, Path(f"/lpis/v{number}.parquet"), "d" * 32, count)


def test_an_import_becomes_current(sited: Store) -> None:
    store = sited.parcels
    assert store.current("flevo", 2018) is None
    assert store.next_version("flevo", 2018) == 1
    store.write(version(1), parcels(parcel(2), parcel(1)), {"new": 2, "codes": ["233"]})
    assert store.current("flevo", 2018) == version(1)
    assert store.current("flevo", 2019) is None
    assert store.current("lux", 2018) is None
    assert store.report("flevo", 2018, 1) == {"new": 2, "codes": ["233"]}
    assert store.next_version("flevo", 2018) == 2


def test_parcels_come_back_by_version(sited: Store) -> None:
    missing = parcel(2, ori_id="\\N", ori_crop=None, ori_hold=None, HoldID=None, reason="no_crop")
    sited.parcels.write(version(1), parcels(missing, parcel(1)), {})
    gone = parcel(1, is_deleted=True)
    sited.parcels.write(version(2), parcels(gone, missing, parcel(3, Area_meters=9.5)), {})

    first = sited.parcels.table("flevo", 2018, 1)
    assert first.columns == [*COLUMNS, "S1Pix", "S2Pix", "home_s1", "home_s2"]
    assert first["NewID"].to_list() == [1, 2]
    assert first["is_deleted"].to_list() == [False, False]
    assert first["ori_id"].to_list() == ["field-1", "\\N"]
    assert first["ori_crop"].to_list() == ["233", None]
    assert first["ori_hold"].to_list() == ["farm-ä", None]
    assert first["geom_change_ratio"].to_list() == [None, None]
    now = sited.parcels.table("flevo", 2018)
    assert now["NewID"].to_list() == [1, 2, 3]
    assert now["is_deleted"].to_list() == [True, False, False]
    assert now["Area_meters"].to_list() == [2500.0, 2500.0, 9.5]
    assert now["HoldID"].to_list() == [1, None, 1]
    with pytest.raises(NotFound, match="version 3; there are: 1, 2"):
        sited.parcels.table("flevo", 2018, 3)
    with pytest.raises(NotFound, match="there are: none"):
        sited.parcels.table("lux", 2018)


def test_identities_are_for_ever(sited: Store) -> None:
    sited.parcels.write(version(1), parcels(parcel(1), parcel(2)), {})
    sited.parcels.write(version(2), parcels(parcel(3, ori_hold="other", HoldID=2)), {})
    sited.parcels.rollback("flevo", 2018, 2)
    known = sited.parcels.identities("flevo", 2018)
    expected = {"ori_id": ["field-1", "field-2", "field-3"], "NewID": [1, 2, 3]}
    assert known.parcels.to_dict(as_series=False) == expected
    expected = {"ori_hold": ["farm-ä", "other"], "HoldID": [1, 2]}
    assert known.holdings.to_dict(as_series=False) == expected
    assert sited.parcels.identities("flevo", 2019).parcels.is_empty()


@pytest.mark.parametrize(
    "wrong",
    [
        parcel(1, ori_id="another field"),
        parcel(9, ori_id="field-1"),
        parcel(9, HoldID=2),
        parcel(9, ori_hold="another farm"),
    ],
)
def test_a_number_is_never_given_again(sited: Store, wrong: dict[str, Any]) -> None:
    sited.parcels.write(version(1), parcels(parcel(1), parcel(2)), {})
    with pytest.raises(Conflict, match="given before"):
        sited.parcels.write(version(2), parcels(wrong), {})
    assert sited.parcels.current("flevo", 2018) == version(1)
    assert sited.parcels.table("flevo", 2018)["NewID"].to_list() == [1, 2]
    assert len(sited.parcels.identities("flevo", 2018).parcels) == 2


def test_only_the_next_version_is_written(sited: Store) -> None:
    for number in (0, 2):
        with pytest.raises(Conflict, match="not the next"):
            sited.parcels.write(version(number), parcels(parcel(1)), {})
    sited.parcels.write(version(1), parcels(parcel(1)), {})
    with pytest.raises(Conflict, match="not the next"):
        sited.parcels.write(version(1), parcels(parcel(1)), {})


def test_a_set_without_its_columns_is_refused(sited: Store) -> None:
    frame = parcels(parcel(1)).drop(columns=["Area_meters", "reason"])
    with pytest.raises(MissingColumn, match="Area_meters, reason"):
        sited.parcels.write(version(1), frame, {})
    with pytest.raises(InputRefused, match="same NewID"):
        sited.parcels.write(version(1), parcels(parcel(1), parcel(1)), {})
    assert sited.parcels.versions("flevo", 2018) == []


def test_a_rollback_undoes_an_import_and_all_after_it(sited: Store) -> None:
    store = sited.parcels
    store.write(version(1), parcels(parcel(1), parcel(2)), {})
    before = store.table("flevo", 2018)
    store.write(version(2), parcels(parcel(1, ori_crop="259"), parcel(2)), {"n": 2})
    store.write(version(3), parcels(parcel(1, ori_crop="265"), parcel(3)), {})
    assert store.rollback("flevo", 2018, 2) == version(1)
    assert store.table("flevo", 2018).equals(before)
    assert store.next_version("flevo", 2018) == 4
    for number in (2, 3, 9):
        with pytest.raises(NotFound, match=f"version {number}; there are: 1"):
            store.rollback("flevo", 2018, number)
    store.write(version(4), parcels(parcel(2)), {})
    state = [
        (item.parcel_set.version, item.is_current, item.rolled_back)
        for item in store.versions("flevo", 2018)
    ]
    assert state == [(1, False, False), (2, False, True), (3, False, True), (4, True, False)]
    assert store.report("flevo", 2018, 2) == {"n": 2}
    assert store.table("flevo", 2018)["NewID"].to_list() == [2]
    assert store.table("flevo", 2018, 1).equals(before)


def test_the_first_import_can_be_undone(sited: Store) -> None:
    sited.parcels.write(version(1), parcels(parcel(1)), {})
    assert sited.parcels.rollback("flevo", 2018, 1) is None
    assert sited.parcels.current("flevo", 2018) is None
    sited.parcels.write(version(2), parcels(parcel(1)), {})
    assert sited.parcels.current("flevo", 2018) == version(2)


def test_a_lut_comes_with_its_import_or_neither(sited: Store) -> None:
    with pytest.raises(MissingColumn):
        sited.parcels.write(version(1), parcels(parcel(1)), {}, LUT.drop("lc"))
    assert sited.parcels.current("flevo", 2018) is None
    sited.parcels.write(version(1), parcels(parcel(1)), {}, LUT)
    with pytest.raises(Conflict):
        sited.parcels.write(version(1), parcels(parcel(1)), {}, LUT.head(1))
    found = sited.parcels.lut("flevo", 2018)
    assert found is not None
    assert found["ori_crop"].to_list() == ["233", "259"]
    sited.parcels.write(version(2), parcels(parcel(1)), {})
    assert sited.parcels.lut("flevo", 2018) is not None


PLACE = {"s1_pix": [4], "s2_pix": [25], "home_s1": ["radar"], "home_s2": ["31UFU"]}


def test_parcels_are_placed_on_grids(sited: Store) -> None:
    store = sited.parcels
    store.write(version(1), parcels(parcel(1), parcel(2)), {})
    store.place("flevo", 2018, pl.DataFrame({"new_id": [1], **PLACE}))
    store.place("flevo", 2018, pl.DataFrame({"new_id": [7], **PLACE}))
    names = ["NewID", "S1Pix", "S2Pix", "home_s1", "home_s2"]
    placed = [(1, 4, 25, "radar", "31UFU"), (2, None, None, None, None)]
    assert store.table("flevo", 2018).select(names).rows() == placed
    store.write(version(2), parcels(parcel(1), parcel(2, ori_crop="1")), {})
    assert store.table("flevo", 2018).select(names).rows() == placed
    store.write(version(3), parcels(parcel(1, geom_hash="f" * 16)), {})
    assert store.table("flevo", 2018).select(names).rows() == [(1, None, None, None, None)]
    assert store.table("flevo", 2018, 2).select(names).rows() == placed
    none = {name: pl.Series([None], dtype=pl.String) for name in ("home_s1", "home_s2")}
    store.rollback("flevo", 2018, 3)
    outside = pl.DataFrame({"new_id": [1], "s1_pix": [0], "s2_pix": [0], **none})
    store.place("flevo", 2018, outside)
    assert store.table("flevo", 2018).select(names).rows()[0] == (1, 0, 0, None, None)


LUT = pl.DataFrame(
    {
        "ori_crop": ["259", "233"],
        "ctnum": [2, 1],
        "ct": ["Maïs", "Wheat"],
        "lc": [1, 1],
        "ctnuml4a": [20, 10],
        "ctl4a": ["Maize", "Cereal"],
        "ctnumdiv": [2, 1],
        "ctdiv": [None, "Wheat"],
        **{name: [1, 0] for name in ("eaa", "al", "pgrass", "tgrass", "fallow", "cwater")},
    }
)


def test_a_lut_is_replaced_as_a_whole(sited: Store) -> None:
    assert sited.parcels.lut("flevo", 2018) is None
    sited.parcels.write_lut("flevo", 2018, LUT.with_columns(pl.lit("x").alias("remark")))
    found = sited.parcels.lut("flevo", 2018)
    assert found is not None
    assert found.equals(LUT.sort("ori_crop"))
    sited.parcels.write_lut("flevo", 2018, LUT.head(1))
    found = sited.parcels.lut("flevo", 2018)
    assert found is not None
    assert found["ct"].to_list() == ["Maïs"]
    assert sited.parcels.lut("lux", 2018) is None
    with pytest.raises(MissingColumn, match="lc, ctl4a"):
        sited.parcels.write_lut("flevo", 2018, LUT.drop("lc", "ctl4a"))


def test_a_site_knows_who_gave_its_footprint(store: Store) -> None:
    store.sites.add(FLEVO)
    assert store.sites.get("flevo").footprint_is_given is False
    given = replace(FLEVO, footprint="POINT (5 52)", footprint_is_given=True)
    store.sites.replace(given)
    assert store.sites.all() == [given]

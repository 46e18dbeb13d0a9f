"""What every store's ledger does alike; and that images bring their grids, and products go."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest

from sen4cap.app.ports import Store
from sen4cap.domain import Grid, Job, Product, ProductType, Season, Sensor, Site, Status, StepRecord
from sen4cap.domain.ledger import Entry, State
from sen4cap.domain.operations import cancelled
from sen4cap.errors import Conflict, NotFound

NOON = datetime(2019, 5, 3, 12, tzinfo=UTC)
FULL = Entry(
    "flevo",
    ProductType.L2A,
    "31UFU",
    NOON,
    State.FAILED,
    "No file comes.",
    2,
    NOON + timedelta(hours=1),
    NOON + timedelta(minutes=1),
    "SCENE_r1",
    "cdse",
    True,
    None,
    "12.3",
    "2019",
)


@pytest.fixture
def sited(store: Store) -> Store:
    store.sites.add(Site("Flevoland", "flevo"))
    store.sites.add(Site("Lux", "lux"))
    return store


def test_an_entry_comes_back_as_it_went_in(sited: Store) -> None:
    plain = Entry("flevo", ProductType.SCENE, "s2", NOON)
    sited.ledger.write([FULL, plain])
    assert sited.ledger.entries("flevo") == [FULL, plain]
    assert sited.ledger.entries("lux") == []
    with pytest.raises(NotFound, match="no site 'nowhere'"):
        sited.ledger.entries("nowhere")


def test_an_entry_of_the_same_key_takes_new_values(sited: Store) -> None:
    sited.ledger.write([FULL])
    later = replace(FULL, state=State.DOWNLOADED, reason="", tries=0, next_try=None)
    other = replace(FULL, stage=ProductType.L3B)
    sited.ledger.write([later, other])
    assert sited.ledger.entries("flevo") == [later, other]
    sited.ledger.remove([other.key, replace(FULL, place="31UFT").key])
    assert sited.ledger.entries("flevo") == [later]


def test_entries_are_written_all_or_none(sited: Store) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        sited.ledger.write([FULL, replace(FULL, site="nowhere")])
    assert sited.ledger.entries("flevo") == []


def test_entries_of_a_time_are_sorted(sited: Store) -> None:
    days = [2, 0, 1]
    places = ["31UFT", "31UFU"]
    made = [
        replace(FULL, time=NOON + timedelta(days=day), place=place)
        for day in days
        for place in places[::-1]
    ]
    sited.ledger.write(made)
    found = sited.ledger.entries("flevo", NOON, NOON + timedelta(days=2))
    assert [(entry.time, entry.place) for entry in found] == [
        (NOON + timedelta(days=day), place) for day in (0, 1) for place in places
    ]


def test_the_newest_step_of_a_slot_is_its_outcome(sited: Store) -> None:
    slots = ("flevo/l2a/a", "flevo/l2a/b")
    for number in range(2):
        steps = [
            StepRecord(0, position, "", slot, revision=f"{number}")
            for position, slot in enumerate(slots[: 2 - number])
        ]
        sited.jobs.add(Job("fetch_l2a", "flevo", "2019"), steps)
    found = sited.ledger.outcomes([*slots, "flevo/l2a/c"])
    assert {slot: step.revision for slot, step in found.items()} == {slots[0]: "1", slots[1]: "0"}


def test_a_deleted_job_is_no_longer_named(sited: Store) -> None:
    job = sited.jobs.add(Job("fetch_l2a", "flevo", "2019", status=Status.DISMISSED))
    sited.ledger.write([replace(FULL, job=job.id)])
    assert sited.ledger.entries("flevo")[0].job == job.id
    sited.jobs.delete(job.id or 0)
    assert sited.ledger.entries("flevo")[0].job is None


def image(name: str, kind: ProductType = ProductType.L2A, **properties: object) -> Product:
    told = {
        "proj:code": "EPSG:32631",
        "proj:shape": [20, 30],
        "proj:transform": [10.0, 0.0, 600_000.0, 0.0, -10.0, 5_800_000.0],
        **properties,
    }
    return Product(name, "flevo", kind, "31UFU", NOON, NOON, f"{name:0>32}", properties=told)


def test_an_image_brings_its_grid(sited: Store) -> None:
    transform = (10.0, 0.0, 600_000.0, 0.0, -10.0, 5_800_000.0)
    sited.products.commit([image("a")])
    assert sited.grids.all("flevo") == [Grid("31UFU", "EPSG:32631", transform, 30, 20, Sensor.S2)]
    sited.products.commit([image("b", ProductType.S1_AMP), image("c", platform="landsat-8")])
    sited.products.commit([image("d", ProductType.L3B), image("e", ProductType.SCENE)])
    sensors = [grid.sensor for grid in sited.grids.all("flevo")]
    assert sensors == [Sensor.L8, Sensor.S1, Sensor.S2]


def test_a_removed_product_leaves_its_slot_empty(sited: Store) -> None:
    first, second = image("a"), image("b")
    sited.products.commit([first])
    sited.products.commit([second])
    sited.products.remove(["a"])
    assert sited.products.current(second.slot) == second
    sited.products.remove(["b"])
    assert sited.products.current(second.slot) is None
    assert sited.products.search("flevo", current=False) == []
    assert sited.arrivals.all() == []
    with pytest.raises(NotFound, match="no product 'a'"):
        sited.products.remove(["a"])


def test_a_removed_site_leaves_nothing_behind(sited: Store) -> None:
    job = sited.jobs.add(Job("fetch_l2a", "flevo", "2019"), [StepRecord(0, 0, "", "slot")])
    sited.seasons.add(Season("flevo", "2019", date(2019, 3, 1), date(2019, 9, 30)))
    sited.products.commit([image("a"), image("b")])
    sited.ledger.write([replace(FULL, job=job.id), replace(FULL, site="lux")])
    with pytest.raises(Conflict, match=f"Job {job.id} of site 'flevo' has not ended"):
        sited.sites.remove("flevo")
    assert len(sited.ledger.entries("flevo")) == 1
    sited.jobs.change(job.id or 0, partial(cancelled, at=NOON))
    sited.sites.remove("flevo")
    assert [site.short_name for site in sited.sites.all()] == ["lux"]
    sited.sites.add(Site("Flevoland", "flevo"))
    assert sited.seasons.all("flevo") == []
    assert sited.grids.all("flevo") == []
    assert sited.products.search("flevo", current=False) == []
    assert sited.ledger.entries("flevo") == []
    assert sited.jobs.all() == []
    assert len(sited.ledger.entries("lux")) == 1

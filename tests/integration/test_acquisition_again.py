"""The same image comes again: the newest stands, what was made of the other is made anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sen4cap.app import jobs, products
from sen4cap.app.removal import remove_product
from sen4cap.app.settling import settle
from sen4cap.app.triggers import Triggers
from sen4cap.domain import Product, ProductType
from sen4cap.domain.ledger import State
from sen4cap.errors import Conflict
from sen4cap.testing.acquiring import FIRST, SEASON, SITE, Farm, farm, scene

OLD = "S2A_MSIL2A_20190503T105031_N0214_R051_T31UES_20190503T120000"
NEW = "S2A_MSIL2A_20190503T105031_N0510_R051_T31UES_20240115T080000"
LATER = "S2A_MSIL2A_20190503T105031_N0510_R051_T31UES_20240301T080000"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Farm]:
    with farm(tmp_path, in_memory=True) as made:
        yield made


def work(here: Farm) -> None:
    """Run what new products lead to."""
    for job in Triggers(here.system).pull():
        jobs.drive(here.system, job, lambda _share, _message: None)


def standing(here: Farm, kind: ProductType) -> list[Product]:
    return here.system.store.products.search(SITE, types=(kind,))


def all_of(here: Farm, kind: ProductType) -> list[str]:
    found = here.system.store.products.search(SITE, types=(kind,), current=False)
    return [item.name for item in found]


def crop_map(here: Farm) -> Product:
    """A result of the season that stands on the indices that stand now."""
    start, end = datetime(2019, 5, 1, tzinfo=UTC), datetime(2019, 9, 30, tzinfo=UTC)
    parents = tuple(item.name for item in standing(here, ProductType.L3B))
    made = Product(
        "MAP", SITE, ProductType.L4A, "", start, end, "0" * 32, season=SEASON, parents=parents
    )
    here.system.store.products.commit([made])
    return made


def test_a_newer_baseline_takes_over_and_what_used_the_old_one_is_out_of_date(here: Farm) -> None:
    here.offer(0, scene(0, id=OLD, baseline="02.14"), add_offset=None)
    here.fetch()
    work(here)
    crop_map(here)
    [before] = standing(here, ProductType.L3B)
    assert products.outdated_products(here.system, SITE) == {}

    here.offer(0, scene(0, id=NEW))
    here.fetch()
    [image] = standing(here, ProductType.L2A)
    assert image.name.startswith(NEW)
    assert len(all_of(here, ProductType.L2A)) == 2
    told = products.outdated_products(here.system, SITE)
    assert set(told) == {before.name, "MAP"}
    assert told["MAP"] == (
        f"'{before.parents[0]}', from which it was made, was superseded by '{image.name}'."
    )
    settle(here.system, SITE, here.now)
    assert here.states("l3b") == {"05-03": "planned"}

    work(here)
    [after] = standing(here, ProductType.L3B)
    assert after.parents == (image.name,)
    assert after.slot == before.slot
    assert products.outdated_products(here.system, SITE) == {
        "MAP": f"'{before.name}', from which it was made, was superseded by '{after.name}'."
    }
    settle(here.system, SITE, here.now)
    assert here.states("l3b") == {"05-03": "processed"}
    assert here.states() == {"05-03": "downloaded"}


def test_an_older_one_never_takes_over(here: Farm) -> None:
    here.offer(0, scene(0, id=NEW))
    here.fetch()
    here.sources[0].scenes = []
    here.offer(0, scene(0, id=OLD, baseline="02.14"), add_offset=None)
    done = here.fetch()
    assert (done.found, done.new, done.jobs) == (1, 0, ())
    [image] = standing(here, ProductType.L2A)
    assert image.name.startswith(NEW)


def test_a_reprocessed_scene_of_the_same_baseline_takes_over(here: Farm) -> None:
    here.offer(0, scene(0, id=NEW), created="2024-01-15T08:00:00Z")
    here.fetch()
    here.offer(0, scene(0, id=LATER), created="2024-03-01T08:00:00Z")
    here.fetch()
    [image] = standing(here, ProductType.L2A)
    assert image.name.startswith(LATER)
    [entry] = here.entries()
    assert (entry.state, entry.product) == (State.DOWNLOADED, image.parents[0])


def test_of_two_granules_of_a_datatake_one_stands_and_the_other_is_recorded(here: Farm) -> None:
    take = {"s2:datatake_id": "GS2A_20190503T105031_020163_N05.10"}
    here.offer(0, scene(0, id=f"{NEW[:-6]}080101"), properties=take)
    here.offer(0, scene(0, id=NEW, start=FIRST.replace(second=45)), properties=take)
    here.fetch()
    [image] = standing(here, ProductType.L2A)
    assert image.name.startswith(f"{NEW[:-6]}080101")
    recorded = here.system.store.products.search(SITE, types=(ProductType.SCENE,), current=False)
    told = {
        item.name.rpartition("_r")[0]: item.properties.get("sen4cap:left_out") for item in recorded
    }
    assert told == {
        f"{NEW[:-6]}080101": None,
        NEW: "Another granule of the same tile and datatake stands in its place: "
        f"'{NEW[:-6]}080101'.",
    }
    assert here.fetch().new == 0


def test_another_source_takes_over_with_a_newer_baseline_only(tmp_path: Path) -> None:
    from sen4cap.app import config

    with farm(tmp_path, in_memory=True) as here:
        here.offer(0, scene(0, id=NEW))
        here.fetch()
        config.set_value(here.system, "source.s2.primary", "two")
        here.offer(1, scene(0, id=LATER))
        assert here.fetch().new == 0
        here.sources[1].scenes = []
        here.offer(1, scene(0, id=NEW.replace("N0510", "N0511"), baseline="05.11"))
        assert here.fetch().new == 1
        [image] = standing(here, ProductType.L2A)
        assert image.properties["sen4cap:source"] == "two"


def test_a_product_is_removed_with_its_folder_and_what_used_it_is_out_of_date(here: Farm) -> None:
    here.offer(0, scene(0))
    here.fetch()
    work(here)
    [image], [index] = standing(here, ProductType.L2A), standing(here, ProductType.L3B)
    folder = here.system.archive / SITE / "l2a"
    assert len(list(folder.iterdir())) == 1
    told = remove_product(here.system, image.name)
    assert told == {index.name: f"'{image.name}', from which it was made, was removed."}
    assert list(folder.iterdir()) == []
    assert standing(here, ProductType.L2A) == []
    assert here.fetch().jobs == ()
    [entry] = here.entries()
    assert (entry.state, entry.reason) == (State.IGNORED, "Its product was removed.")


def test_a_product_that_a_job_reads_stays(here: Farm) -> None:
    here.offer(0, scene(0))
    here.fetch()
    [job] = Triggers(here.system).pull()
    [image] = standing(here, ProductType.L2A)
    with pytest.raises(Conflict, match=f"Job {job.id} reads"):
        remove_product(here.system, image.name)
    assert (here.system.archive / SITE / "l2a" / image.name).is_dir()

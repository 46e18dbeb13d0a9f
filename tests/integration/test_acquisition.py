"""From sources to products, on an installation of its own; what the ledger says of each pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sen4cap.app import config, jobs, ledger
from sen4cap.app.acquisition import cycle
from sen4cap.app.settling import settle
from sen4cap.domain import ProductType
from sen4cap.domain.ledger import State
from sen4cap.errors import ServiceUnavailable
from sen4cap.testing.acquiring import SITE, STEP, Farm, farm, scene
from sen4cap.testing.source import no_fault, opened_from, with_wrong_checksum


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Farm]:
    with farm(tmp_path, {"source.s2.fallback": "two", "source.mode": "mirror"}) as made:
        yield made


def l2a(here: Farm) -> list[str]:
    found = here.system.store.products.search(SITE, types=(ProductType.L2A,))
    return [item.name for item in found]


def test_scenes_become_products_with_grid_picture_and_parent(here: Farm) -> None:
    for number in range(3):
        here.offer(0, scene(number))
    done = here.fetch()
    products = here.system.store.products.search(SITE, types=(ProductType.L2A,))
    assert (done.found, done.new, len(done.jobs)) == (3, 3, 1)
    assert here.states() == {"05-03": "downloaded", "05-13": "downloaded", "05-23": "downloaded"}
    assert [item.grid for item in products] == ["31UES"] * 3
    assert [item.start for item in products] == [scene(number).start for number in range(3)]
    first = products[0]
    assert first.parents == (here.entries()[0].product,)
    assert first.asset("B04").offset == -0.1
    folder = here.system.archive / SITE / "l2a" / first.name
    assert Path(first.asset("quicklook").href) == folder / "quicklook.png"
    assert all(Path(asset.href).is_relative_to(folder) for asset in first.assets)
    assert all(Path(asset.href).is_file() for asset in first.assets)
    assert not list((here.system.archive / SITE / "l2a").glob(".*"))
    [grid] = here.system.store.grids.all(SITE)
    assert (grid.name, grid.width, grid.crs) == ("31UES", 16, "EPSG:32631")
    again = here.fetch()
    assert (again.new, again.jobs, len(l2a(here))) == (0, (), 3)


def test_a_source_that_fails_is_tried_three_times_then_the_fallback_has_its_turn(
    here: Farm,
) -> None:
    told = here.offer(0, scene(0))
    here.sources[0].scenes = [with_wrong_checksum(told)]
    here.offer(1, scene(0, id=told.name.replace("T235959", "T235958")))
    tries, waits = [], []
    for _ in range(3):
        here.fetch()
        [entry] = here.entries()
        tries.append((entry.state, entry.tries, entry.source))
        waits.append((entry.next_try or here.now) - here.now)
        here.now += waits[-1]
    assert tries == [
        (State.FAILED, 1, "one"),
        (State.FAILED, 2, "one"),
        (State.DOWNLOADED, 0, "two"),
    ]
    assert waits[:2] == [timedelta(minutes=1), timedelta(minutes=8)]
    [product] = here.system.store.products.search(SITE, types=(ProductType.L2A,))
    assert product.properties["sen4cap:source"] == "two"
    here.now += timedelta(hours=2)
    assert here.fetch().jobs == ()
    assert here.states() == {"05-03": "downloaded"}


def test_without_fallback_a_scene_is_aborted_and_mended_by_a_word(tmp_path: Path) -> None:
    with farm(tmp_path, {"downloader.s2.max-retries": "2"}, in_memory=True) as here:
        told = here.offer(0, scene(0))

        def no_file(what: str) -> None:
            if what.startswith("get"):
                raise ServiceUnavailable("No file comes.")

        here.sources[0].fault = no_file
        for _ in range(3):
            here.fetch()
            here.now += timedelta(hours=1)
        [entry] = here.entries()
        assert (entry.state, entry.tries, entry.next_try) == (State.ABORTED, 2, None)
        assert entry.reason == "No file comes."
        assert entry.mend == f"sen4cap ledger fix {SITE} 31UES 2019-05-03 --retry"
        here.sources[0].fault = no_fault
        here.fetch()
        assert here.states() == {"05-03": "aborted"}
        assert len(ledger.fix(here.system, SITE, "31UES", [told.start.date()], now=here.now)) == 1
        here.fetch()
        assert here.states() == {"05-03": "downloaded"}


def test_a_source_that_does_not_answer_is_a_hole_until_it_does(tmp_path: Path) -> None:
    with farm(tmp_path, in_memory=True) as here:
        here.offer(0, scene(0))
        here.sources[0].is_down = True
        done = here.fetch()
        [asked] = here.entries("scene")
        assert (asked.state, asked.place, asked.tries) == (State.FAILED, "s2", 1)
        assert asked.reason == "one: Source 'one' does not answer: try again later."
        assert done.troubles == (asked.reason,)
        assert asked.mend == "sen4cap source test one"
        here.sources[0].is_down = False
        assert here.fetch().found == 1
        [asked] = here.entries("scene")
        assert (asked.state, asked.reason, asked.tries) == (State.DOWNLOADED, "", 0)


def test_the_fallback_is_asked_where_the_primary_does_not_answer(here: Farm) -> None:
    here.offer(1, scene(0))
    here.sources[0].is_down = True
    done = here.fetch()
    assert (done.found, len(l2a(here))) == (1, 1)
    assert here.entries()[0].source == "two"


def test_half_a_list_is_no_list(tmp_path: Path) -> None:
    with farm(tmp_path, in_memory=True) as here:
        for number in range(3):
            here.offer(0, scene(number))

        def second_page(what: str) -> None:
            if what == "query page 1":
                raise ServiceUnavailable("The second page does not come.")

        here.sources[0].fault = second_page
        assert here.fetch().found == 0
        assert here.entries() == []


def test_scenes_are_left_out_with_a_reason(tmp_path: Path) -> None:
    rules = {"downloader.max-cloud-coverage": "50", "downloader.s2.orbits": "51"}
    with farm(tmp_path, rules, in_memory=True) as here:
        here.offer(0, scene(0, cloud_cover=80.0))
        here.offer(0, scene(1, relative_orbit=8))
        here.offer(0, scene(2))
        here.fetch()
        reasons = {f"{entry.time:%m-%d}": entry.reason for entry in here.entries()}
        assert here.states() == {"05-03": "ignored", "05-13": "ignored", "05-23": "downloaded"}
        assert reasons["05-03"] == (
            "Its cloud cover of 80 % is above 50 % (downloader.max-cloud-coverage)."
        )
        assert reasons["05-13"] == "Its relative orbit 8 is none of those that are wanted."
        ledger.fix(here.system, SITE, "31UES", [scene(0).start.date()], now=here.now)
        here.fetch()
        assert here.states()["05-03"] == "downloaded"


def test_a_product_that_contradicts_itself_is_not_fetched_again(tmp_path: Path) -> None:
    with farm(tmp_path, in_memory=True) as here:
        here.offer(0, scene(0, baseline="02.14"), add_offset=-1000)
        here.fetch()
        calls = len(here.sources[0].calls)
        [entry] = here.entries()
        assert entry.state is State.ABORTED
        assert entry.reason.startswith("Refused: ")
        assert "contradicts processing baseline 02.14" in entry.reason
        here.now += timedelta(days=1)
        here.fetch()
        assert [call for call in here.sources[0].calls[calls:] if call.startswith("get")] == []
        assert list((here.system.archive / SITE / "l2a").glob("*")) == []
        assert list((here.system.archive / SITE / "l2a").glob(".*")) == []


def test_one_scene_that_fails_does_not_hold_up_the_others(tmp_path: Path) -> None:
    with farm(tmp_path, in_memory=True) as here:
        for number in range(3):
            here.offer(0, scene(number))
        here.sources[0].scenes[1] = with_wrong_checksum(here.sources[0].scenes[1])
        here.fetch()
        assert here.states() == {"05-03": "downloaded", "05-13": "failed", "05-23": "downloaded"}


def test_a_cancelled_job_is_not_begun_again_by_itself(tmp_path: Path) -> None:
    with farm(tmp_path, in_memory=True) as here:
        here.offer(0, scene(0))
        [job] = cycle(here.system, SITE, opened_from(here.sources), now=here.now).jobs
        jobs.cancel(here.system, job.id or 0)
        assert here.fetch().jobs == ()
        [entry] = here.entries()
        assert (entry.state, entry.reason) == (State.FAILED, f"Job {job.id} was cancelled.")
        ledger.fix(here.system, SITE, now=here.now)
        assert len(here.fetch().jobs) == 1


def test_a_pass_that_the_source_does_not_list_is_missing_until_it_does(tmp_path: Path) -> None:
    with farm(tmp_path, in_memory=True) as here:
        here.now += 6 * STEP
        for number in (0, 1, 2, 4, 5):
            here.offer(0, scene(number))
        here.fetch()
        missing = [entry for entry in here.entries() if entry.state is State.MISSING]
        days = [f"{entry.time:%m-%d}" for entry in missing]
        assert days == ["06-02", "07-02", "07-12", "07-22"]
        assert missing[0].reason == "Source 'one' lists none."
        here.offer(0, scene(3))
        here.fetch()
        assert here.states()["06-02"] == "downloaded"
        assert len(here.entries()) == 6 + 3


def test_too_little_disk_makes_scenes_wait(tmp_path: Path) -> None:
    with farm(tmp_path, {"source.disk-margin": "1000000"}, in_memory=True) as here:
        here.offer(0, scene(0))
        assert here.fetch().jobs == ()
        [entry] = here.entries()
        assert (entry.state, entry.tries) == (State.PLANNED, 0)
        assert entry.reason.startswith("No room: ")
        assert entry.next_try == here.now + timedelta(hours=1)
        config.set_value(here.system, "source.disk-margin", "0")
        here.now += timedelta(hours=1)
        here.fetch()
        assert here.states() == {"05-03": "downloaded"}


def test_settling_again_changes_nothing(here: Farm) -> None:
    here.offer(0, scene(0))
    here.offer(0, with_bad := scene(1))
    here.sources[0].scenes[1] = with_wrong_checksum(here.sources[0].scenes[1])
    here.fetch()
    for hours in (0, 1, 2):
        assert settle(here.system, SITE, here.now + timedelta(hours=hours)) == []
    assert here.states() == {"05-03": "downloaded", f"{with_bad.start:%m-%d}": "failed"}


def test_kinds_of_one_pass_stand_beside_each_other(tmp_path: Path) -> None:
    with farm(tmp_path, {"source.s2.products": "l2a,l1c"}, in_memory=True) as here:
        told = here.offer(0, scene(0))
        here.sources[0].scenes.append(replace(told, kind=ProductType.L1C))
        done = here.fetch()
        assert (done.found, done.new, len(done.jobs)) == (2, 2, 2)
        assert (here.states("l2a"), here.states("l1c")) == (
            {"05-03": "downloaded"},
            {"05-03": "downloaded"},
        )
        assert here.fetch().new == 0
        [raw] = here.system.store.products.search(SITE, types=(ProductType.L1C,))
        assert raw.grid == "31UES"
        assert Path(raw.asset("product").href).name == f"{told.name}.SAFE"

"""Which product stands where several are of one tile and acquisition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sen4cap.app.products import Ingested, ingest, search
from sen4cap.app.system import System
from sen4cap.domain import Site
from sen4cap.errors import InvalidParameter
from sen4cap.settings import Settings
from sen4cap.testing.memory import memory_store
from sen4cap.testing.scenes import Scene, digital_numbers, write_safe

OLD, NEW = "02.14", "05.10"


@pytest.fixture
def system(tmp_path: Path) -> System:
    store = memory_store()
    store.sites.add(Site("Farm", "farm"))
    return System(Settings(home=tmp_path / "home"), store)


def write(folder: Path, baseline: str, generated: str = "20180717T235959") -> Path:
    """One acquisition, seen as a processing baseline stores it."""
    image = np.random.default_rng(0).uniform(0.02, 0.3, (64, 64))
    shifted = baseline >= "04.00"
    stored = digital_numbers(image, shifted=shifted)
    name = f"S2A_MSIL2A_20180717T105328_N{baseline.replace('.', '')}_R051_T31UDS_{generated}"
    scene = Scene({"B04": stored}, baseline=baseline, id=name)
    return write_safe(folder, scene, add_offset=-1000 if shifted else None)


def standing(system: System) -> list[str]:
    return [item.properties["s2:processing_baseline"] for item in search(system, "farm")]


def told(done: Ingested) -> tuple[int, int, list[str]]:
    return len(done.made), done.standing, [item.reason for item in done.skipped]


def test_of_two_baselines_in_a_folder_the_newer_stands_and_stays(
    system: System, tmp_path: Path
) -> None:
    old = write(tmp_path, OLD)
    write(tmp_path, NEW)
    first = ingest(system, "farm", tmp_path)
    reason = f"Superseded by '{first.made[0].name}'."

    assert "_N0510_" in first.made[0].name
    assert told(first) == (1, 0, [reason])
    assert first.skipped[0].path == old
    for _ in range(2):
        assert told(ingest(system, "farm", tmp_path)) == (0, 1, [reason])
        assert standing(system) == [NEW]


@pytest.mark.parametrize("order", [(OLD, NEW, OLD), (NEW, OLD, NEW)])
def test_an_older_baseline_never_takes_the_place_of_a_newer_one(
    system: System, tmp_path: Path, order: tuple[str, ...]
) -> None:
    for baseline in (OLD, NEW):
        write(tmp_path / baseline, baseline)
    seen = []
    for baseline in order:
        ingest(system, "farm", tmp_path / baseline)
        seen += standing(system)
    assert seen == [order[0], NEW, NEW]


def test_of_one_baseline_the_later_generation_stands(system: System, tmp_path: Path) -> None:
    for generated in ("20180717T235959", "20200101T000000"):
        write(tmp_path / generated, NEW, generated)
    (made,) = ingest(system, "farm", tmp_path).made
    again = ingest(system, "farm", tmp_path / "20180717T235959")

    assert "_20200101T000000" in made.name
    assert told(again) == (0, 0, [f"Superseded by '{made.name}'."])


def test_the_users_word_changes_what_stands_and_back(system: System, tmp_path: Path) -> None:
    write(tmp_path, NEW)
    offsets = []
    for offset in (None, -0.09, None):
        assert len(ingest(system, "farm", tmp_path, offset=offset).made) == 1
        offsets += [item.asset("B04").offset for item in search(system, "farm")]
    assert offsets == [-0.1, -0.09, -0.1]


def test_a_second_granule_of_a_datatake_is_left_out_with_its_reason(
    system: System, tmp_path: Path
) -> None:
    write(tmp_path, NEW, "20180717T180000")
    (metadata,) = write(tmp_path, NEW, "20180717T180101").glob("GRANULE/*/MTD_TL.xml")
    metadata.write_text(metadata.read_text().replace("T10:53:28", "T10:57:41"))
    done = ingest(system, "farm", tmp_path)

    (made,) = done.made
    reason = f"Another granule of the same tile and datatake stands in its place: '{made.name}'."
    assert told(done) == (1, 0, [reason])
    assert done.skipped[0].path.name.endswith("20180717T180000.SAFE")


def test_a_name_that_leads_out_of_the_archive_is_refused(system: System, tmp_path: Path) -> None:
    path = write(tmp_path, NEW) / "MTD_MSIL2A.xml"
    path.write_text(path.read_text().replace("<PRODUCT_URI>", "<PRODUCT_URI>../../"))
    with pytest.raises(InvalidParameter, match="cannot name a product"):
        ingest(system, "farm", tmp_path)
    assert search(system, "farm") == []

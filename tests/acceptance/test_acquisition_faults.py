"""For every n, the n-th call, file write or fsync of an acquisition fails.

Afterwards the ledger explains every pass, nothing partial is to be seen, and running it again
completes it: the same products with the same files as where nothing fails.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from sen4cap.app.acquiring import fetch
from sen4cap.app.acquisition import Opened
from sen4cap.app.fetching import DELIVERED
from sen4cap.app.settling import settle
from sen4cap.domain import ProductType
from sen4cap.domain.ledger import State
from sen4cap.domain.scene import Scene
from sen4cap.sources.auth import Credentials
from sen4cap.sources.catalogue import AnySource, Definition, open_source
from sen4cap.sources.http import Policy
from sen4cap.testing import source_shelf as shelf
from sen4cap.testing.acquiring import SITE, Farm, farm, image, scene
from sen4cap.testing.faults import Faults, failing
from sen4cap.testing.source import offered
from sen4cap.testing.source_server import Fault, SourceServer, serving

PASSES = 2
MIRROR = {"source.mode": "mirror"}
AGAIN = (timedelta(0), timedelta(minutes=1), timedelta(minutes=9), timedelta(hours=2))
"""When it is run again after the fault, from then on."""


@pytest.fixture(scope="module")
def offers(tmp_path_factory: pytest.TempPathFactory) -> list[Scene]:
    """What the source holds: small scenes of one band."""
    folder = tmp_path_factory.mktemp("offers")
    return [
        offered(folder, scene(number, bands={"B04": image(number)["B04"]}), "one")
        for number in range(PASSES)
    ]


def acquired(here: Farm, offers: list[Scene], at: int) -> Faults:
    """Acquire with a fault, which may end the whole of it, as a crash does."""
    here.sources[0].scenes = list(offers)
    with failing(Faults(at), here.system.archive) as faults:
        here.sources[0].fault = faults.call
        with suppress(OSError):
            here.fetch()
    here.sources[0].fault = lambda _what: None
    return faults


def visible(here: Farm) -> dict[str, dict[str, str]]:
    """Digest of each delivered file, by visible folder."""
    root = here.system.archive / SITE / ProductType.L2A
    return {
        folder.name: {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted((folder / DELIVERED).rglob("*"))
            if path.is_file() and not path.name.endswith(".aux.xml")
        }
        for folder in sorted(root.glob("[!.]*"))
    }


def products(here: Farm) -> dict[str, list[str]]:
    found = here.system.store.products.search(SITE, types=(ProductType.L2A,))
    return {item.name: [asset.name for asset in item.assets] for item in found}


def explain(here: Farm) -> None:
    """Every pass has its product, or an entry that says what is to be done about it."""
    settle(here.system, SITE, here.now)
    [asked] = here.entries("scene") or [None]
    if asked is None or asked.state is State.FAILED:
        assert here.entries() == [], "scenes of a list that did not end"
        return
    entries = here.entries()
    made = products(here)
    assert len(entries) == PASSES
    for entry in entries:
        if entry.state is State.DOWNLOADED:
            assert len([name for name in made if entry.time.strftime("%Y%m%dT") in name]) == 1
        else:
            assert entry.state in {State.FAILED, State.PLANNED}
            assert entry.reason or entry.state is State.PLANNED
            assert entry.next_try is not None or entry.state is State.PLANNED


def test_whatever_fails_the_ledger_explains_it_and_the_next_run_completes_it(
    tmp_path: Path, offers: list[Scene]
) -> None:
    with farm(tmp_path / "none", in_memory=True) as here:
        events = acquired(here, offers, 0).events
        wanted, files = products(here), visible(here)
    assert len(wanted) == PASSES
    assert {event.split()[0] for event in events} == {"query", "get", "open", "fsync", "name"}
    for at in range(1, len(events) + 1):
        with farm(tmp_path / str(at), in_memory=True) as here:
            faults = acquired(here, offers, at)
            assert len(faults.events) >= at
            told = f"{at}: {faults.events[at - 1]}"
            explain(here)
            for name, found in visible(here).items():
                assert found == files[name], told
            for wait in AGAIN:
                if visible(here) == files and products(here) == wanted:
                    break
                here.now += wait
                here.fetch()
            assert products(here) == wanted, told
            assert visible(here) == files, told
            assert set(here.states().values()) == {"downloaded"}, told
            root = here.system.archive / SITE / ProductType.L2A
            assert list(root.rglob(".*")) == [], told
            assert all((root / name / f"{name}.json").is_file() for name in wanted), told


def acquire(here: Farm, opened: Opened, now: datetime) -> None:
    """Acquire here at an instant."""
    fetch(here.system, SITE, opened, now=lambda: now)


def over_http(server: SourceServer) -> AnySource:
    """Earth Search as the server plays it; it tries nothing twice by itself."""
    made = Definition(
        "one",
        profile="earth-search",
        endpoint=f"{server.base}/stac/v1",
        hosts=(f"localhost:{server.port}",),
    )
    return open_source(made, Credentials(), policy=Policy(attempts=1))


@pytest.mark.parametrize(("what", "where", "seen"), [("500", "", 1), ("half", "/files/", 0)])
def test_whatever_request_goes_wrong_the_next_run_completes_it(
    tmp_path: Path, what: str, where: str, seen: int
) -> None:
    """Half a file is gone on with in the same run: one more request, and no hole."""

    def run(at: int) -> tuple[int, list[str]]:
        """Requests of an acquisition whose request number `at` goes wrong, and what it brought."""
        with serving() as server, farm(tmp_path / f"{at}", MIRROR, in_memory=True) as here:
            shelf.hold_earth_search(server, [scene(0), scene(1)], tmp_path / f"held-{at}")
            source = over_http(server)
            server.faults = [Fault(where, what, after=at - 1)] if at else []
            with patch("sen4cap.app.fetching.source_of", lambda _ctx, _name: source):
                acquire(here, lambda _name: source, now=here.now)
                asked = len(server.requests(where))
                settle(here.system, SITE, here.now)
                holes = [entry for entry in here.entries("scene") + here.entries() if entry.is_hole]
                assert len(holes) == (seen if at else 0)
                assert all(entry.reason and entry.next_try for entry in holes)
                for wait in AGAIN:
                    acquire(here, lambda _name: source, now=here.now + wait)
            assert set(here.states().values()) == {"downloaded"}
            root = here.system.archive / SITE / ProductType.L2A
            assert list(root.rglob(".*")) == []
            return asked, sorted(products(here))

    count, wanted = run(0)
    assert len(wanted) == PASSES
    for at in range(1, count + 1):
        asked, found = run(at)
        assert found == wanted, at
        assert seen or asked == count + 1, at

"""One suite for every source that scenes are found at and fetched from, faults included.

Each runs against a server on this machine that answers in the source's own words. What must come
out is known from what the server was given (`testing.source_shelf`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sen4cap.domain import ProductType
from sen4cap.domain.scene import Request, Scene, scene_of
from sen4cap.errors import ServiceUnavailable, SourceRefused, UnreadableFile
from sen4cap.processing import no_progress
from sen4cap.sources.auth import Credentials
from sen4cap.sources.catalogue import AnySource, Definition, open_source
from sen4cap.sources.http import Policy
from sen4cap.testing import source_shelf as shelf
from sen4cap.testing.source_server import PASSWORD, TOKEN, USER, Fault, SourceServer, serving

COUNT = 5
HELD = ("files", "guarded", "items", "entries", "granules", "jobs")
Shelves = dict[Callable[..., None], tuple[Path, dict[str, Any]]]
DAYS = [shelf.FIRST + number * shelf.EVERY for number in range(COUNT)]


def hold_earth_search(server: SourceServer, folder: Path) -> None:
    shelf.hold_earth_search(server, shelf.pictures(), folder)


def hold_planetary(server: SourceServer, folder: Path) -> None:
    shelf.hold_planetary(server, shelf.pictures(), folder)


def hold_landsat(server: SourceServer, _folder: Path) -> None:
    shelf.hold_landsat(server)


def hold_cdse(server: SourceServer, folder: Path) -> None:
    shelf.hold_cdse(server, shelf.pictures(), folder)


def hold_asf(server: SourceServer, _folder: Path) -> None:
    shelf.hold_asf(server)


def hold_hyp3(server: SourceServer, _folder: Path) -> None:
    shelf.hold_hyp3(server)


def hold_archive(_server: SourceServer, folder: Path) -> None:
    for scene in shelf.pictures():
        home = folder / "Sentinel-2/MSI/L2A" / f"{scene.start:%Y/%m/%d}"
        shelf.write_manifest(shelf.write_safe(home, scene, add_offset=-1000, driver="GTiff"))


@dataclass(frozen=True)
class Case:
    """A source, what it is asked for, and where its questions and files go."""

    profile: str
    kind: ProductType
    platform: str
    hold: Callable[[SourceServer, Path], None]
    search: str = ""
    """Part of the path of its searches; empty where it has none."""
    file: str = ""
    """Part of the path of a file."""
    files: int = 1
    """Of a scene."""
    place: str = "31UDS"
    endpoint: str = ""
    by_nodes: bool = False
    is_summed: bool = True
    """Whether the source tells checksums."""
    login: str = ""
    """Part of the path where a token is got."""
    waits: list[float] = field(default_factory=list)


S1, S2, LANDSAT = "sentinel-1", "sentinel-2", "landsat"
CASES = {
    "earth-search": Case(
        "earth-search", ProductType.L2A, S2, hold_earth_search, "/search", "B08.tif", 3,
        endpoint="/stac/v1",
    ),
    "planetary-computer": Case(
        "planetary-computer", ProductType.L2A, S2, hold_planetary, "/search", "B08.tif", 3,
        endpoint="/stac/v1", is_summed=False, login="/sas/token",
    ),
    "landsat": Case(
        "planetary-computer", ProductType.L2A, LANDSAT, hold_landsat, "/search", "SR_B4", 3,
        "199024", endpoint="/stac/v1", is_summed=False, login="/sas/token",
    ),
    "cdse": Case(
        "cdse", ProductType.L2A, S2, hold_cdse, "/odata/v1/Products?", "/$value",
        endpoint="/odata/v1", login="/token",
    ),
    "cdse-nodes": Case(
        "cdse", ProductType.L2A, S2, hold_cdse, "/odata/v1/Products?", "_B08_10m.tif)/$value",
        endpoint="/odata/v1", by_nodes=True, login="/token",
    ),
    "asf-opera": Case(
        "asf", ProductType.S1_AMP, S1, hold_asf, "/search/granules", "_VV.tif", 3,
        "T059-125645-IW2", is_summed=False,
    ),
    "asf-slc": Case(
        "asf", ProductType.SLC, S1, hold_asf, "/search/granules", "/asf/SLC", 1, "R059",
    ),
    "hyp3-rtc": Case(
        "hyp3", ProductType.S1_AMP, S1, hold_hyp3, "/jobs", "RTC20", 1, "R059",
        is_summed=False,
    ),
    "hyp3-insar": Case(
        "hyp3", ProductType.S1_COHE, S1, hold_hyp3, "job_type=INSAR_ISCE_BURST",
        "INT20", 1, "123456_IW2_12d", is_summed=False,
    ),
    "archive": Case("archive", ProductType.L2A, S2, hold_archive, files=6),
}  # fmt: skip
ONLINE = [name for name in CASES if name != "archive"]
SUMMED = [name for name in ONLINE if CASES[name].is_summed]


@dataclass(frozen=True)
class Stand:
    """A source and the server behind it."""

    case: Case
    server: SourceServer
    source: AnySource
    waits: list[float]

    def scenes(self) -> list[Scene]:
        found = self.source.query(request(self.case))
        return sorted(found, key=lambda scene: scene.start)


def request(case: Case) -> Request:
    start, end = shelf.FIRST - timedelta(days=1), DAYS[-1] + timedelta(days=1)
    return Request(case.kind, (case.platform,), shelf.SITE, start, end)


def definition(case: Case, server: SourceServer, folder: Path) -> Definition:
    hosts = ("localhost", "127.0.0.1") if case.profile == "hyp3" else ("localhost",)
    return Definition(
        name="here",
        profile=case.profile,
        endpoint=f"{server.base}{case.endpoint}",
        download=f"{server.store}/download/odata/v1",
        token=f"{server.base}/{'sas/token' if case.login == '/sas/token' else 'token'}",
        hosts=tuple(f"{name}:{server.port}" for name in hosts),
        root=str(folder),
        mode="copy",
        by_nodes=case.by_nodes,
    )


@pytest.fixture(scope="module")
def server() -> Iterator[SourceServer]:
    with serving() as made:
        yield made


@pytest.fixture(scope="module")
def shelves(server: SourceServer, tmp_path_factory: pytest.TempPathFactory) -> Shelves:
    """What the server holds for each kind of source, made once; and the folder it is made from."""
    made: Shelves = {}
    for hold in dict.fromkeys(case.hold for case in CASES.values()):
        for name in HELD:
            getattr(server, name).clear()
        folder = tmp_path_factory.mktemp("held")
        hold(server, folder)
        made[hold] = folder, {name: copy(getattr(server, name)) for name in HELD}
    return made


@pytest.fixture
def stand(request: pytest.FixtureRequest, server: SourceServer, shelves: Shelves) -> Stand:
    case = CASES[request.param]
    folder, held = shelves[case.hold]
    for name, value in held.items():
        setattr(server, name, copy(value))
    server.faults.clear()
    server.heard.clear()
    waits: list[float] = []
    policy = Policy(attempts=3, timeout=10, sleep=waits.append)
    told = Credentials(USER, PASSWORD, TOKEN)
    made = definition(case, server, folder)
    return Stand(case, server, open_source(made, told, policy=policy), waits)


every = pytest.mark.parametrize("stand", CASES, indirect=True)
online = pytest.mark.parametrize("stand", ONLINE, indirect=True)


@every
def test_lists_each_scene_once_with_what_is_needed_to_fetch_it(stand: Stand) -> None:
    scenes = stand.scenes()

    assert [scene.start for scene in scenes] == DAYS
    assert len({scene.name for scene in scenes}) == COUNT
    for scene in scenes:
        assert scene.source == "here"
        assert scene.kind is stand.case.kind
        assert scene.place == stand.case.place
        assert len(scene.files) == stand.case.files
        assert str(scene.properties["platform"]).startswith(stand.case.platform)
        assert all(file.checksum for file in scene.files) is (
            stand.case.is_summed and stand.case.profile != "archive"
        )


@every
def test_a_scene_survives_being_recorded_as_a_product(stand: Stand) -> None:
    for scene in stand.scenes():
        product = scene.as_product("nld")
        assert scene_of(product) == scene
        assert product.grid == stand.case.place


@every
def test_time_is_from_start_until_before_the_end(stand: Stand) -> None:
    asked = replace(request(stand.case), start=DAYS[1], end=DAYS[3])

    assert sorted(scene.start for scene in stand.source.query(asked)) == DAYS[1:3]


@pytest.mark.parametrize(
    "stand", ["earth-search", "planetary-computer", "cdse", "archive"], indirect=True
)
def test_cloud_tile_orbit_and_outline_are_asked_for(stand: Stand) -> None:
    asked = request(stand.case)
    count = lambda **more: len(list(stand.source.query(replace(asked, **more))))  # noqa: E731

    assert count(tiles=("31UDS",)) == COUNT
    assert count(tiles=("31UES",)) == 0
    assert count(orbits=(51,)) == COUNT
    assert count(orbits=(8,)) == 0
    expected = COUNT if stand.case.profile == "cdse" else 3  # 0, 10, 20 % and 12.5 % for all
    assert count(max_cloud=25.0) == expected
    assert count(footprint="POLYGON ((10 51, 11 51, 11 52, 10 52, 10 51))") == 0


@every
def test_brings_a_scene_whole(stand: Stand, tmp_path: Path) -> None:
    scene = stand.scenes()[0]
    shares: list[float] = []
    path = stand.source.fetch(scene, tmp_path / "out", lambda share, _name: shares.append(share))

    assert path.exists()
    files = [item for item in path.rglob("*") if item.is_file()]
    assert len(files) >= stand.case.files
    assert not [item for item in (tmp_path / "out").rglob(".*") if item.is_file()]
    assert shares == sorted(shares)
    assert 0 <= min(shares) <= max(shares) <= 1


@every
def test_brings_it_once(stand: Stand, tmp_path: Path) -> None:
    scene = stand.scenes()[0]
    path = stand.source.fetch(scene, tmp_path / "out", no_progress)
    before = {item: item.read_bytes() for item in path.rglob("*") if item.is_file()}
    heard = len(stand.server.heard)

    assert stand.source.fetch(scene, tmp_path / "out", no_progress) == path
    assert {item: item.read_bytes() for item in path.rglob("*") if item.is_file()} == before
    again = [one for one in stand.server.heard[heard:] if stand.case.file in one.path]
    assert len(again) <= (stand.case.files if not stand.case.is_summed else 0)


@online
@pytest.mark.parametrize(("what", "waited"), [("429", [7.0]), ("500", [1.0]), ("503", [1.0])])
def test_waits_when_a_search_is_turned_away(stand: Stand, what: str, waited: list[float]) -> None:
    stand.server.faults.append(Fault(stand.case.search, what))

    assert len(stand.scenes()) == COUNT
    assert stand.waits == waited


@online
def test_waits_until_the_time_a_server_names(stand: Stand) -> None:
    stand.server.faults.append(Fault(stand.case.search, "429-date"))

    assert len(stand.scenes()) == COUNT
    assert stand.waits == [pytest.approx(6, abs=1.1)]  # whole seconds of a date 7 s ahead


@online
def test_gives_up_on_a_search_after_its_attempts(stand: Stand) -> None:
    stand.server.faults.append(Fault(stand.case.search, "500", times=99))

    with pytest.raises(ServiceUnavailable, match=r"'here'.*500"):
        stand.scenes()
    assert stand.waits == [1.0, 2.0]


@online
def test_a_search_that_is_refused_says_so(stand: Stand) -> None:
    stand.server.faults.append(Fault(stand.case.search, "403", times=99))

    with pytest.raises(SourceRefused, match=r"'here'.*refuses the credentials"):
        stand.scenes()
    assert stand.waits == []


@online
def test_an_answer_that_is_no_answer_is_told(stand: Stand) -> None:
    stand.server.faults.append(Fault(stand.case.search, "no-json", times=99))

    with pytest.raises(ServiceUnavailable, match=r"'here'.*endpoint"):
        stand.scenes()


@online
def test_a_repeated_page_is_noticed(stand: Stand) -> None:
    """The second page is the first one again: two scenes are missing."""
    after = 2 if stand.case.search == "/search/granules" else 1  # it asks for the count before
    stand.server.faults.append(Fault(stand.case.search, "repeat", after=after))

    with pytest.raises(ServiceUnavailable, match=r"'here'.*(says 5|repeats a page)"):
        stand.scenes()


@online
def test_a_skipped_page_is_noticed(stand: Stand) -> None:
    after = 2 if stand.case.search == "/search/granules" else 1
    stand.server.faults.append(Fault(stand.case.search, "skip", after=after))

    with pytest.raises(ServiceUnavailable, match=r"'here'.*(says 5.*gave 3|repeats a page)"):
        stand.scenes()


@online
@pytest.mark.parametrize("what", ["429", "500", "half"])
def test_a_file_that_fails_once_is_there_in_the_end(
    stand: Stand, what: str, tmp_path: Path
) -> None:
    scene = stand.scenes()[0]
    good = stand.source.fetch(scene, tmp_path / "good", no_progress)
    stand.server.faults.append(Fault(stand.case.file, what))

    path = stand.source.fetch(scene, tmp_path / "out", no_progress)

    assert contents(path) == contents(good)
    if what == "half":
        ranges = [one.headers["Range"] for one in stand.server.heard if "Range" in one.headers]
        assert len(ranges) == 1
        assert ranges[0] != "bytes=0-"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        item.relative_to(folder).as_posix(): item.read_bytes()
        for item in folder.rglob("*")
        if item.is_file()
    }


@online
def test_a_file_that_broke_off_is_gone_on_with_by_the_next_call(
    stand: Stand, tmp_path: Path
) -> None:
    scene = stand.scenes()[0]
    stand.server.faults += [Fault(stand.case.file, "half"), Fault(stand.case.file, "500", times=99)]

    with pytest.raises(ServiceUnavailable):
        stand.source.fetch(scene, tmp_path / "out", no_progress)
    assert named(tmp_path / "out", stand.case) == []
    [part] = list((tmp_path / "out").rglob(".*.part"))
    size = part.stat().st_size
    stand.server.faults.clear()
    heard = len(stand.server.heard)

    stand.source.fetch(scene, tmp_path / "out", no_progress)

    ranges = [one.headers.get("Range") for one in stand.server.heard[heard:]]
    assert f"bytes={size}-" in ranges
    assert not part.exists()


def named(folder: Path, case: Case) -> list[Path]:
    """Files under the name that the faulty one would have."""
    part = case.file.split(")")[0]
    return [item for item in folder.rglob("*") if part in item.name and item.name[0] != "."]


@pytest.mark.parametrize("stand", SUMMED, indirect=True)
def test_a_wrong_byte_is_found_where_there_is_a_checksum(stand: Stand, tmp_path: Path) -> None:
    scene = stand.scenes()[0]
    stand.server.faults.append(Fault(stand.case.file, "garbled", times=99))

    with pytest.raises(UnreadableFile, match="thrown away"):
        stand.source.fetch(scene, tmp_path / "out", no_progress)
    assert named(tmp_path / "out", stand.case) == []
    stand.server.faults.clear()
    assert stand.source.fetch(scene, tmp_path / "out", no_progress).exists()


@online
def test_a_file_that_is_gone_is_told(stand: Stand, tmp_path: Path) -> None:
    scene = stand.scenes()[0]
    stand.server.faults.append(Fault(stand.case.file, "404", times=99))

    with pytest.raises(SourceRefused, match=r"'here'.*does not hold.*404"):
        stand.source.fetch(scene, tmp_path / "out", no_progress)
    assert named(tmp_path / "out", stand.case) == []


@online
def test_one_401_at_a_file_is_mended_where_a_token_can_be_renewed(
    stand: Stand, tmp_path: Path
) -> None:
    scene = stand.scenes()[0]
    stand.server.faults.append(Fault(stand.case.file, "401"))

    if stand.case.login:
        assert stand.source.fetch(scene, tmp_path / "out", no_progress).exists()
    else:
        with pytest.raises(SourceRefused, match=r"'here'.*401"):
            stand.source.fetch(scene, tmp_path / "out", no_progress)


@pytest.mark.parametrize("stand", ["cdse", "cdse-nodes"], indirect=True)
def test_a_token_that_ends_in_the_middle_is_renewed(stand: Stand, tmp_path: Path) -> None:
    """A file breaks off, and when it is gone on with the token is no longer good."""
    scene = stand.scenes()[0]
    good = stand.source.fetch(scene, tmp_path / "good", no_progress)
    stand.server.faults += [Fault(stand.case.file, "half"), Fault(stand.case.file, "expire")]
    before = len(stand.server.requests("/token"))

    path = stand.source.fetch(scene, tmp_path / "out", no_progress)

    assert contents(path) == contents(good)
    asked = stand.server.requests("/token")[before:]
    assert [one.body for one in asked if "refresh" in one.body] == [asked[0].body]
    assert len(asked) == 1


@pytest.mark.parametrize("stand", ["cdse", "asf-slc", "asf-opera"], indirect=True)
def test_without_credentials_it_says_what_to_do(
    stand: Stand, server: SourceServer, tmp_path: Path
) -> None:
    scene = stand.scenes()[0]
    policy = Policy(attempts=1, sleep=stand.waits.append)
    poor = open_source(definition(stand.case, server, tmp_path), policy=policy)

    with pytest.raises(SourceRefused, match="sen4cap source set-secret here"):
        poor.fetch(scene, tmp_path / "out", no_progress)


@online
def test_secrets_go_to_the_hosts_that_need_them_only(stand: Stand, tmp_path: Path) -> None:
    stand.source.fetch(stand.scenes()[0], tmp_path / "out", no_progress)

    for one in stand.server.heard:
        for_files = one.headers["Host"].startswith("localhost")
        may = for_files or stand.case.profile == "hyp3"
        assert may or "Authorization" not in one.headers, one.path
        assert PASSWORD not in one.path


@online
def test_more_wait_than_the_policy_allows_is_the_quota(stand: Stand, tmp_path: Path) -> None:
    scene = stand.scenes()[0]
    session = stand.source.remote.session  # type: ignore[union-attr]  # online sources have one
    session.policy = replace(session.policy, longest_pause=5)
    stand.server.faults.append(Fault(stand.case.file, "429"))

    with pytest.raises(SourceRefused, match="quota"):
        stand.source.fetch(scene, tmp_path / "out", no_progress)


def test_nobody_there_is_told(tmp_path: Path) -> None:
    waits: list[float] = []
    policy = Policy(attempts=3, timeout=2, sleep=waits.append)
    made = Definition("here", "earth-search", endpoint="http://127.0.0.1:1/stac/v1")

    with pytest.raises(ServiceUnavailable, match=r"'here' \(127.0.0.1:1\) gave no answer in 3"):
        list(open_source(made, policy=policy).query(request(CASES["earth-search"])))
    assert waits == [1.0, 2.0]
    assert not list(tmp_path.iterdir())


def test_times_are_utc() -> None:
    assert all(day.tzinfo is UTC for day in DAYS)
    assert datetime(2023, 5, 1, 10, 56, 21, tzinfo=UTC) == DAYS[0]


@pytest.mark.parametrize("stand", ["hyp3-insar"], indirect=True)
def test_a_pair_keeps_its_dates_and_days(stand: Stand) -> None:
    """The jobs were ordered for scenes twelve days apart."""
    scene = stand.scenes()[0]

    assert scene.properties["sen4cap:baseline_days"] == 12
    assert scene.properties["sen4cap:pair"] == [
        "2023-04-19T10:56:21+00:00",
        "2023-05-01T10:56:21+00:00",
    ]

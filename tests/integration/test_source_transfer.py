"""Bringing one file: what is gone on with, what is begun anew, and what is never believed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import requests

from sen4cap.domain.scene import RemoteFile
from sen4cap.errors import ServiceUnavailable, UnreadableFile
from sen4cap.sources.auth import Bearer, Credentials, PasswordToken
from sen4cap.sources.http import Policy, Session, wait_of
from sen4cap.sources.slots import Slots
from sen4cap.sources.transfer import bring, place, writing
from sen4cap.testing.source_server import PASSWORD, USER, Fault, SourceServer, serving

CONTENT = bytes(range(256)) * 40
MD5 = "md5:28c36e4d8a2ee3a1ed4f07ac5fe8a5b9"  # never right
NOON = datetime(2023, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[SourceServer]:
    with serving() as made:
        made.files["/a.bin"] = CONTENT
        yield made


@pytest.fixture
def session() -> Session:
    return Session("here", Policy(attempts=3, timeout=5, sleep=lambda _seconds: None))


def remote(server: SourceServer, **more: object) -> RemoteFile:
    return replace(RemoteFile("a", f"{server.base}/a.bin", "a.bin"), **more)  # type: ignore[arg-type]  # fields of the value


def ranges(server: SourceServer) -> list[str | None]:
    return [one.headers.get("Range") for one in server.requests("/a.bin")]


def break_off(server: SourceServer, session: Session, target: Path) -> int:
    """Bring half a file; how much came."""
    server.faults += [Fault("/a.bin", "half"), Fault("/a.bin", "404")]
    with pytest.raises(Exception, match="404"):
        bring(session, remote(server), target)
    server.heard.clear()
    return (target.parent / ".a.bin.part").stat().st_size


def test_goes_on_where_it_ended(server: SourceServer, session: Session, tmp_path: Path) -> None:
    came = break_off(server, session, tmp_path / "a.bin")
    bring(session, remote(server, size=len(CONTENT)), tmp_path / "a.bin")

    assert came == len(CONTENT) // 2
    assert ranges(server) == [f"bytes={came}-"]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [item.name for item in tmp_path.iterdir()] == ["a.bin"]


def test_begins_anew_when_the_server_has_another_file(
    server: SourceServer, session: Session, tmp_path: Path
) -> None:
    break_off(server, session, tmp_path / "a.bin")
    server.files["/a.bin"] = other = CONTENT[::-1]
    bring(session, remote(server), tmp_path / "a.bin")

    assert len(ranges(server)) == 1  # the range was asked for, and the whole file came
    assert (tmp_path / "a.bin").read_bytes() == other


def test_begins_anew_when_nothing_tells_whether_it_is_the_same(
    server: SourceServer, session: Session, tmp_path: Path
) -> None:
    break_off(server, session, tmp_path / "a.bin")
    (tmp_path / ".a.bin.part.json").unlink()
    bring(session, remote(server), tmp_path / "a.bin")

    assert ranges(server) == [None]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_all_was_there_but_the_name(server: SourceServer, session: Session, tmp_path: Path) -> None:
    """The machine stopped between the last byte and the renaming: nothing is fetched again."""
    break_off(server, session, tmp_path / "a.bin")
    (tmp_path / ".a.bin.part").write_bytes(CONTENT)
    bring(session, remote(server, size=len(CONTENT)), tmp_path / "a.bin")

    assert ranges(server) == [f"bytes={len(CONTENT)}-"]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_wrong_size_or_checksum_names_both(
    server: SourceServer, session: Session, tmp_path: Path
) -> None:
    for more, told in (({"size": 99}, "99 bytes"), ({"checksum": MD5}, "28c36e4d")):
        with pytest.raises(UnreadableFile, match=f"'a.bin' came as .* {told}"):
            bring(session, remote(server, **more), tmp_path / "a.bin")
        assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_and_wrong_is_replaced(
    server: SourceServer, session: Session, tmp_path: Path
) -> None:
    (tmp_path / "a.bin").write_bytes(b"short")
    bring(session, remote(server, size=len(CONTENT)), tmp_path / "a.bin")

    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_every_write_and_fsync_may_fail(
    server: SourceServer, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fails)
        with pytest.raises(ServiceUnavailable, match="No space left"), writing(tmp_path):
            bring(session, remote(server), tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()
    bring(session, remote(server), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("path", ["../a", "/etc/a", "a/../../b", "a\\..\\b", ""])
def test_no_path_leaves_the_folder(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnreadableFile, match="outside its scene"):
        place(tmp_path, path)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("Mon, 01 May 2023 12:01:00 GMT", 60.0),
        ("Mon, 01 May 2023 11:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_in_seconds_and_as_a_date(text: str, seconds: float | None) -> None:
    assert wait_of(text, NOON) == seconds


def test_pauses_double_up_to_the_longest(server: SourceServer) -> None:
    waits: list[float] = []
    policy = Policy(attempts=6, first_pause=1, longest_pause=5, sleep=waits.append)
    server.faults.append(Fault("/a.bin", "503", times=99))

    with pytest.raises(ServiceUnavailable, match="503"):
        Session("here", policy).answer("GET", f"{server.base}/a.bin")
    assert waits == [1, 2, 4, 5, 5]


def token(server: SourceServer, session: Session, now: list[datetime]) -> PasswordToken:
    url, hosts = f"{server.base}/token", (f"127.0.0.1:{server.port}",)
    told = Credentials(USER, PASSWORD)
    return PasswordToken("here", url, "cdse-public", told, hosts, session.form, lambda: now[0])


def test_a_token_is_used_until_shortly_before_it_ends(
    server: SourceServer, session: Session
) -> None:
    """600 s and 3600 s by the server: renewed by refresh token, later by password again."""
    now = [NOON]
    session.authority = token(server, session, now)
    grants: list[str] = []
    for minutes in (0, 9, 10, 80):
        now[0] = NOON + timedelta(minutes=minutes)
        session.answer("GET", f"{server.base}/a.bin")
        grants.append(parse_qs(server.requests("/token")[-1].body)["grant_type"][0])

    assert len(server.requests("/token")) == 3
    assert grants == ["password", "password", "refresh_token", "password"]
    assert [one.headers["Authorization"] for one in server.requests("/a.bin")] == [
        f"Bearer access-{number}" for number in (1, 1, 2, 3)
    ]


def test_no_secret_shows(server: SourceServer, session: Session) -> None:
    known = token(server, session, [NOON])
    session.authority = known
    session.answer("GET", f"{server.base}/a.bin")
    for thing in (Credentials(USER, PASSWORD, "abc-token"), known, Bearer("abc-token", ())):
        assert PASSWORD not in repr(thing)
        assert "abc-token" not in repr(thing)
        assert "access-1" not in repr(thing)


def test_a_token_does_not_follow_to_another_host(server: SourceServer, session: Session) -> None:
    session.authority = Bearer("abc-token", ("127.0.0.1",))
    session.answer("GET", f"{server.base}/a.bin")
    session.answer("GET", f"{server.store}/a.bin")

    told = [one.headers.get("Authorization") for one in server.requests("/a.bin")]
    assert told == ["Bearer abc-token", None]


def test_a_hanging_server_is_left_after_the_time_limit(session: Session) -> None:
    import socket

    waits: list[float] = []
    session.policy = Policy(attempts=2, timeout=0.2, sleep=waits.append)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(ServiceUnavailable, match="gave no answer in 2 attempts"):
            session.answer("GET", f"http://127.0.0.1:{silent.getsockname()[1]}/")
    assert waits == [1.0]


HOLD = """
import sys, time
from pathlib import Path
from sen4cap.sources.slots import Slots
with Slots(Path(sys.argv[1]), "here", 1).one():
    print("held", flush=True)
    time.sleep(60)
"""


def test_slots_hold_over_processes(tmp_path: Path) -> None:
    """Two slots: with one of them held by another process, one is left; a dead one lets go."""
    waited: list[float] = []

    class Full(Exception):
        pass

    def give_up(seconds: float) -> None:
        waited.append(seconds)
        raise Full

    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    two, one = Slots(tmp_path, "here", 2, give_up), Slots(tmp_path, "here", 1, give_up)
    with two.one():
        pass
    with pytest.raises(Full), one.one():
        pass
    other.kill()
    other.communicate()
    with one.one():
        pass
    assert waited == [0.2]


def test_no_folder_is_no_limit() -> None:
    waited: list[float] = []
    slots = Slots(None, "here", 1, waited.append)
    with slots.one(), slots.one():
        assert waited == []


def test_requests_go_through_no_proxy_of_the_environment(
    server: SourceServer, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    assert session.answer("GET", f"{server.base}/a.bin").content == CONTENT
    assert isinstance(session, requests.Session)

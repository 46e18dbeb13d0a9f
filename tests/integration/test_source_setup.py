"""Sources as an operator sets them up: secrets, tests, records; nothing secret is shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import PasswordDeleteError
from typer.testing import CliRunner

from sen4cap.app import logs, secrets, source_checks, sources
from sen4cap.app.secrets import Place
from sen4cap.cli import app
from sen4cap.errors import Conflict, InvalidParameter, NotFound, ServiceUnavailable
from sen4cap.settings import Settings
from sen4cap.sources.auth import Credentials
from sen4cap.sources.http import Policy
from sen4cap.testing import source_shelf as shelf
from sen4cap.testing.source_server import PASSWORD, USER, Fault, SourceServer, serving

NOW = shelf.FIRST + timedelta(days=60)
"""So that a test, sixty days back, meets what the server holds."""


class MemoryKeyring(KeyringBackend):
    """A keyring in memory."""

    priority = 1  # type: ignore[assignment]  # a class property there

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.held.pop((service, username), None) is None:
            raise PasswordDeleteError(username)


@pytest.fixture(autouse=True)
def no_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())
    yield
    keyring.set_keyring(before)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SEN4CAP_HOME", str(tmp_path / "home"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    return Settings()


@pytest.fixture
def server(settings: Settings, tmp_path: Path) -> Iterator[SourceServer]:
    """CDSE as it is set up by commands to be on this machine."""
    with serving() as made:
        shelf.hold_cdse(made, shelf.pictures(), tmp_path / "held")
        for key, value in (
            ("endpoint", f"{made.base}/odata/v1"),
            ("download", f"{made.store}/download/odata/v1"),
            ("token", f"{made.base}/token"),
            ("hosts", f"localhost:{made.port}"),
        ):
            sources.set_up(settings, "cdse", key, value)
        yield made


def sen4cap(*words: str, given: str | None = None) -> str:
    result = CliRunner().invoke(app, list(words), input=given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_the_environment_comes_before_keyring_and_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring.set_keyring(MemoryKeyring())
    for place, value in ((Place.FILE, "f"), (Place.KEYRING, "k")):
        secrets.keep(settings, "cdse", {"user": value, "password": value}, place)
    monkeypatch.setenv("SEN4CAP_SECRET_CDSE_PASSWORD", "e")

    assert secrets.credentials(settings, "cdse") == Credentials("k", "e")
    assert secrets.places(settings, "cdse") == {"user": "keyring", "password": "environment"}
    secrets.forget(settings, "cdse")
    assert secrets.places(settings, "cdse") == {"password": "environment"}
    with pytest.raises(NotFound, match="'cdse'"):
        secrets.forget(settings, "cdse")


def test_the_file_is_ours_alone(settings: Settings) -> None:
    secrets.keep(settings, "cdse", {"user": "ana", "password": PASSWORD}, Place.FILE)
    secrets.keep(settings, "asf", {"token": "t0ken"}, Place.FILE)
    path = secrets.secret_file(settings)

    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in path.parent.iterdir()] == ["secrets.json"]
    assert secrets.credentials(settings, "asf") == Credentials(token="t0ken")
    for mode in (0o640, 0o604, 0o660):
        path.chmod(mode)
        with pytest.raises(Conflict, match="chmod 600"):
            secrets.credentials(settings, "cdse")
        with pytest.raises(Conflict, match="chmod 600"):
            secrets.keep(settings, "cdse", {"user": "eve"}, Place.FILE)


def test_no_keyring_is_told_when_one_is_asked_for(settings: Settings) -> None:
    with pytest.raises(ServiceUnavailable, match="'file'"):
        secrets.keep(settings, "cdse", {"user": "ana"}, Place.KEYRING)
    with pytest.raises(InvalidParameter, match="SEN4CAP_SECRET_CDSE_USER"):
        secrets.keep(settings, "cdse", {"user": "ana"}, Place.ENVIRONMENT)
    assert secrets.credentials(settings, "cdse") == Credentials()


def test_secrets_are_kept_out_of_logs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets.keep(settings, "cdse", {"user": "ana", "password": PASSWORD}, Place.FILE)
    monkeypatch.setenv("SEN4CAP_SECRET_ASF_TOKEN", "eyJ-of-asf")
    hide = logs.secrets_of(settings)

    assert hide == (PASSWORD, "eyJ-of-asf")
    assert logs.hidden(f"sent {PASSWORD} and eyJ-of-asf", hide) == "sent *** and ***"
    signed = "https://x.blob.core.windows.net/a.tif?st=1&se=2&sig=AbC%2F1&sp=r"
    assert logs.hidden(signed) == "https://x.blob.core.windows.net/a.tif?st=1&se=2&sig=***&sp=r"
    assert logs.hidden("a?X-Amz-Signature=abc&b=1") == "a?X-Amz-Signature=***&b=1"


def test_a_password_is_asked_for_and_not_shown(settings: Settings) -> None:
    told = sen4cap("source", "set-secret", "cdse", given=f"{USER}\n{PASSWORD}\n")
    shown = sen4cap("source", "show", "cdse") + sen4cap("source", "list", "--json")

    assert "Kept user, password of 'cdse'." in told
    assert secrets.credentials(settings, "cdse") == Credentials(USER, PASSWORD)
    assert PASSWORD not in told + shown
    listed = {one["name"]: one for one in json.loads(sen4cap("source", "list", "--json"))}
    assert listed["cdse"]["secrets"] == {"user": "file", "password": "file"}
    assert listed["asf"]["secrets"] == {}
    assert sorted(listed) == sorted(sources.PROFILES)


def test_a_source_of_ones_own_begins_with_its_profile(settings: Settings) -> None:
    with pytest.raises(NotFound, match="profile first"):
        sources.set_up(settings, "mirror", "endpoint", "https://stac.example.org")
    sources.set_up(settings, "mirror", "profile", "earth-search")
    sources.set_up(settings, "mirror", "connections", "3")
    made = sources.set_up(settings, "mirror", "endpoint", "https://stac.example.org/")

    assert sources.definition(settings, "mirror") == made
    assert (made.endpoint, made.connections) == ("https://stac.example.org", 3)
    assert sources.open_source("mirror").name == "mirror"
    assert sources.set_up(settings, "mirror", "endpoint", "").endpoint == ""
    for key, value in (
        ("endpoint", "stac.example.org"),
        ("connections", "many"),
        ("mode", "move"),
        ("by-nodes", "maybe"),
        ("colour", "red"),
    ):
        with pytest.raises(InvalidParameter, match=key):
            sources.set_up(settings, "mirror", key, value)
    with pytest.raises(NotFound, match="no source profile 'mars'"):
        sources.set_up(settings, "mirror", "profile", "mars")


def check(settings: Settings, name: str = "cdse") -> source_checks.Check:
    policy = Policy(attempts=1, timeout=2, sleep=lambda _seconds: None)
    return source_checks.check(settings, name, now=NOW, policy=policy)


def test_a_test_says_in_one_sentence_what_is_wrong(
    settings: Settings, server: SourceServer
) -> None:
    told = [check(settings).told]
    secrets.keep(settings, "cdse", {"user": USER, "password": "wrong"}, Place.FILE)
    told.append(check(settings).told)
    secrets.keep(settings, "cdse", {"password": PASSWORD}, Place.FILE)
    good = check(settings)
    server.faults.append(Fault("/odata", "503"))
    told.append(check(settings).told)
    server.ahead = timedelta(minutes=-12)
    told.append(check(settings).told)
    sources.set_up(settings, "cdse", "endpoint", "http://127.0.0.1:1")
    told.append(check(settings).told)

    assert good == source_checks.Check("cdse", is_well=True, told=good.told)
    assert good.told == "Source 'cdse' answers: 2 scenes in the test."
    wanted = (
        "set-secret cdse",
        "refuses the credentials",
        "busy (503)",
        "12 min ahead",
        "no answer",
    )
    for sentence, part in zip(told, wanted, strict=True):
        assert part in sentence
        assert sentence.count(". ") == 0
    assert PASSWORD not in "".join(told)


def test_a_record_holds_the_exchange_and_no_secret(
    settings: Settings, server: SourceServer, tmp_path: Path
) -> None:
    shelf.hold_earth_search(server, shelf.pictures(), tmp_path / "items")
    secrets.keep(settings, "cdse", {"user": USER, "password": PASSWORD}, Place.FILE)
    file = tmp_path / "record.json"
    count, found = source_checks.record(settings, "cdse", file, now=NOW)
    kept = json.loads(file.read_bytes())

    assert (count, found.is_well) == (1, True)
    assert kept[0]["status"] == 200
    assert kept[0]["answer"]["@odata.count"] == 2
    assert "Authorization" not in kept[0]["headers"]
    assert PASSWORD not in file.read_text(encoding="utf-8")
    with pytest.raises(NotFound):
        source_checks.record(settings, "mars", file)


def test_a_record_of_a_login_holds_no_token(settings: Settings, server: SourceServer) -> None:
    secrets.keep(settings, "cdse", {"user": USER, "password": PASSWORD}, Place.FILE)
    source = sources.open_source("cdse")
    session = source.remote.session  # type: ignore[union-attr]  # this one goes over the network
    heard: list[object] = []
    session.heard = heard.append
    session.authority.check()
    text = json.dumps([source_checks._exchange(one, (USER, PASSWORD)) for one in heard])  # type: ignore[arg-type]  # answers

    assert len(heard) == 1
    for secret in (PASSWORD, "correct+horse", "access-1", f"username={USER}"):
        assert secret not in text


def test_now_is_after_the_scenes() -> None:
    assert datetime.now(UTC) > NOW

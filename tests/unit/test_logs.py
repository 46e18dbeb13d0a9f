"""Logs: one event per line, no secret in any; reading them while they grow. Values by hand."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from sen4cap.app import logs, tail, worker
from sen4cap.settings import Settings

SECRET = "h@rd-t0-guess"
QUOTED = "h%40rd-t0-guess"
SETTINGS = Settings(database_url=f"postgresql+psycopg://sen4cap:{QUOTED}@db/sen4cap")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a process that logs as 'orchestrator' writes; logging is as before afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("sen4cap")
    before = (root.handlers[:], root.level, ours.level)
    stream = io.StringIO()
    logs.configure("orchestrator", [logging.StreamHandler(stream)], logs.secrets_of(SETTINGS))
    yield stream
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])
    logging.captureWarnings(False)
    structlog.reset_defaults()


def _append(path: Path, text: str) -> None:
    with path.open("a") as handle:
        handle.write(text)


def _events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json_with_the_same_keys_first(written: io.StringIO) -> None:
    structlog.get_logger("sen4cap.engine").info("step ended", job=3, step=7, seconds=1.5, why=None)

    [event] = _events(written)
    assert list(event)[:4] == ["time", "level", "service", "event"]
    assert event["time"].endswith("Z")
    assert {key: event[key] for key in ("level", "service", "event", "job", "step", "seconds")} == {
        "level": "info",
        "service": "orchestrator",
        "event": "step ended",
        "job": 3,
        "step": 7,
        "seconds": 1.5,
    }
    assert event["why"] is None


def test_libraries_and_tracebacks_come_out_in_the_same_form(written: io.StringIO) -> None:
    logging.getLogger("distributed.nanny").warning("worker %d\nis gone", 4)
    logging.getLogger("distributed.nanny").info("chatter")
    try:
        _ = {}["missing"]
    except KeyError:
        structlog.get_logger("sen4cap.engine").exception("tick failed")

    # threads that other tests have left may speak too
    told = {event["event"]: event for event in _events(written)}
    first, second = told["worker 4\nis gone"], told["tick failed"]
    assert "chatter" not in told
    assert (first["level"], first["event"]) == ("warning", "worker 4\nis gone")
    assert (second["level"], second["event"]) == ("error", "tick failed")
    assert second["exception"].endswith("KeyError: 'missing'")


@pytest.mark.parametrize(
    ("event", "values"),
    [
        (f"cannot connect to postgresql://sen4cap:{QUOTED}@db/sen4cap", {}),
        (f"the password is {SECRET}, unquoted", {}),
        ("login", {"password": SECRET}),
        ("login", {"headers": {"Authorization": f"Bearer {SECRET}-and-more"}}),
        ("login", {"X_API_KEY": SECRET, "nested": [{"client_secret": SECRET}]}),
        (f"GET https://user:{SECRET}@example.org/?a=1", {}),
        (f"GET https://example.org/?token={SECRET}&a=1", {}),
        (f'sent {{"access_key": "{SECRET}"}}', {}),
        (f"sent Authorization: Bearer {SECRET}", {}),
    ],
)
def test_no_secret_gets_in(written: io.StringIO, event: str, values: dict[str, Any]) -> None:
    structlog.get_logger("sen4cap.app").info(event, **values)

    assert SECRET not in written.getvalue()
    assert QUOTED not in written.getvalue()
    assert logs.HIDDEN in written.getvalue()


def test_a_secret_that_is_not_in_the_settings_is_hidden_in_addresses() -> None:
    text = "from https://me:other-one@host/x?key=7&token=abc12345&site=demo to s3://bucket"

    assert (
        logs.hidden(text) == "from https://me:***@host/x?key=7&token=***&site=demo to s3://bucket"
    )


def test_a_traceback_hides_secrets_too(written: io.StringIO) -> None:
    error = ConnectionError(SETTINGS.url)
    structlog.get_logger("sen4cap.app").error("no database", exc_info=error)

    [event] = _events(written)
    assert "ConnectionError: postgresql+psycopg://sen4cap:***@db/sen4cap" in event["exception"]


def test_a_log_turns_over_and_keeps_every_line(
    tmp_path: Path, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    del written  # leaves logging as it was
    monkeypatch.setattr(logs, "MAX_BYTES", 1500)
    settings = Settings(home=tmp_path)
    logs.configure("web", [handler := logs._ServiceFile(logs.log_file(settings, "web"))], ())
    for number in range(20):
        structlog.get_logger("sen4cap.web").info("line", number=number)
    handler.close()

    path = logs.log_file(settings, "web")
    assert path.stat().st_size <= 1500
    assert path.with_name("web.log.1").exists()
    shown = [json.loads(line)["number"] for line in tail.last_lines([path], 12)]
    assert shown == list(range(8, 20))


def test_people_read_time_level_service_event_and_values() -> None:
    line = json.dumps(
        {
            "time": "2026-05-01T12:00:07.123456Z",
            "level": "info",
            "service": "scheduler",
            "event": "dealt",
            "schedule": "markers daily",
            "job": 7,
            "exception": "Traceback\n  here",
        }
    )

    assert tail.readable(line) == (
        '2026-05-01 12:00:07 info    scheduler: dealt schedule="markers daily" job=7\n'
        "    Traceback\n"
        "      here"
    )
    assert tail.readable("no JSON \x1b[2J") == r"no JSON \x1b[2J"
    assert tail.readable(
        '{"time": "2026-05-01T12:00:07Z", "level": "info", "event": "started"}'
    ) == ("2026-05-01 12:00:07 info    started")


def test_following_a_log_misses_nothing_when_it_comes_late_turns_over_or_is_emptied(
    tmp_path: Path,
) -> None:
    path = tmp_path / "web.log"
    steps = iter(
        [
            lambda: path.write_text("one\ntw"),
            lambda: _append(path, "o\n"),
            lambda: (path.rename(tmp_path / "web.log.1"), path.write_text("three\n")),
            lambda: path.write_text(""),
            lambda: _append(path, "four\n"),
        ]
    )

    def wait(_seconds: float) -> bool:
        step = next(steps, None)
        if step is not None:
            step()
        return step is None

    assert list(tail.follow([path], wait)) == ["one", "two", "three", "four"]


def test_following_starts_after_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text("old\n")
    ended = threading.Event()

    def wait(_seconds: float) -> bool:
        if ended.is_set():
            return True
        _append(path, "new\n")
        ended.set()
        return False

    assert list(tail.follow([path], wait)) == ["new"]


@pytest.fixture
def fresh() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("fresh")
def test_a_command_tells_warnings_on_stderr_and_nothing_on_stdout(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.open_terminal()
    log = structlog.get_logger("sen4cap.engine").bind(job=3)
    log.info("claimed", step=0)
    log.warning("store unavailable", reason="no answer from postgresql://me:other-one@host/x")
    assert capsys.readouterr() == (
        "",
        "warning: store unavailable (job 3, reason no answer from postgresql://me:***@host/x)\n",
    )


def test_the_log_of_a_step_holds_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "00000-1.log"
    with worker._log(path) as log:
        log.info("reading postgresql://me:other-one@host/x", parameters={"api_key": "abc12345"})
        logging.getLogger("rasterio").warning("GET https://host/x?token=abc12345 failed")
    first, second = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    assert first["event"] == "reading postgresql://me:***@host/x"
    assert first["parameters"] == {"api_key": "***"}
    assert second["event"] == "GET https://host/x?token=*** failed"

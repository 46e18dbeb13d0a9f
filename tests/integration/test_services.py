"""Services as real processes: started, watched, ended; and what is told of their health."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen
from uuid import uuid4

import psutil
import pytest
from fastapi.testclient import TestClient

from sen4cap.app import claims, group, health, jobs, processes, services, serving
from sen4cap.app.serving import step_logs
from sen4cap.app.system import System, session
from sen4cap.app.tail import last_lines
from sen4cap.domain import ProductType, Service, Status
from sen4cap.domain.job import ENDED
from sen4cap.errors import Conflict, NotFound, ServiceUnavailable
from sen4cap.settings import Settings
from sen4cap.testing.crash import SEASON, SITE, populate
from sen4cap.testing.memory import memory_store
from sen4cap.web import create_app, listening

SECRET = "not-for-logs"
START = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """An installation of the test's own; whatever it left running is ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Settings(home=tmp_path / "home", database_url=None, archive=None, port=port, cores=1)
    yield made
    processes.stop(made, list(services.SERVICES)[::-1], group=True)


def _until(condition: Callable[[], object], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


# Claims


def test_one_service_of_a_name_per_home(settings: Settings) -> None:
    other = settings.model_copy(update={"home": settings.home / "other"})
    with claims.claim(settings, "web") as claim:
        claim.ready("http://127.0.0.1:1")
        found = claims.running(settings, "web")
        assert found is not None
        assert (found.pid, found.ready, found.address) == (os.getpid(), True, "http://127.0.0.1:1")
        assert claims.running(other, "web") is None
        with (
            pytest.raises(Conflict, match=f"web of .* runs already .process {os.getpid()}"),
            claims.claim(settings, "web"),
        ):
            pass
    assert claims.running(settings, "web") is None


def test_what_ended_a_service_is_left_for_whoever_started_it(settings: Settings) -> None:
    with (
        pytest.raises(ServiceUnavailable),
        claims.claim(settings, "web"),
    ):
        raise ServiceUnavailable("Port 80 is taken.")

    assert claims.running(settings, "web") is None
    assert claims.last_error(settings, "web", os.getpid()) == "Port 80 is taken."
    assert claims.last_error(settings, "web", os.getpid() + 1) == ""


def test_a_killed_service_is_not_running(settings: Settings, tmp_path: Path) -> None:
    script = tmp_path / "hold.py"
    script.write_text(
        "import sys, time\n"
        "from sen4cap.app.claims import claim\n"
        "from sen4cap.settings import Settings\n"
        "with claim(Settings(home=sys.argv[1]), 'web') as claim:\n"
        "    claim.ready()\n"
        "    time.sleep(60)\n",
    )
    with subprocess.Popen([sys.executable, script, settings.home]) as process:
        _until(lambda: claims.running(settings, "web"))
        process.kill()

    assert claims.running(settings, "web") is None
    with claims.claim(settings, "web"):
        assert claims.running(settings, "web") is not None


# Ending


STUBBORN = (
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(60)\n"
)


def test_what_does_not_end_is_killed_with_its_children() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = psutil.Process(int(process.stdout.readline()))
        began = time.monotonic()
        processes.end_tree(process.pid, 0.5)

        assert process.poll() is not None
        assert time.monotonic() - began < 5
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


# Trying again


class Impatient(threading.Event):
    """An event that waits for nothing and remembers for how long it should have."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0)
        return self.is_set()


def test_a_service_that_fails_after_it_served_is_tried_again() -> None:
    stop, calls = Impatient(), []

    def serve(stop: threading.Event, ready: Callable[[str], None]) -> None:
        ready("there")
        calls.append(1)
        if len(calls) < 9:
            raise ServiceUnavailable("No database.")
        stop.set()

    told: list[str] = []
    group.keep_serving(serve, stop, told.append)

    assert told == ["there"] * 9
    assert stop.waited == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize(("error", "is_ready"), [(ServiceUnavailable, False), (Conflict, True)])
def test_what_cannot_start_and_what_another_one_does_is_raised(
    error: type[Exception], is_ready: bool
) -> None:
    def serve(_stop: threading.Event, ready: Callable[[str], None]) -> None:
        if is_ready:
            ready("")
        raise error("no")

    with pytest.raises(error):
        group.keep_serving(serve, Impatient(), lambda _address: None)


def test_what_ran_long_starts_again_at_once() -> None:
    patience = group.Patience()

    assert [patience.after(ran) for ran in (0, 1, 59, 61, 0)] == [1, 2, 4, 1, 2]


# Names


def test_names_of_the_original_are_answered_with_what_does_that_work_now() -> None:
    found, sentences = services.resolve(
        ["sen2agri-executor.service", "worker", "sen2agri-demmaccs", "Scheduler"]
    )

    assert found == ["orchestrator", "worker", "scheduler"]
    assert len(sentences) == 2
    assert "'orchestrator' starts and ends steps, 'worker' runs them" in sentences[0]
    for name in ("orchestrator", "services", "demmaccs", "executor", "scheduler"):
        assert services.FORMER[f"sen2agri-{name}"].services
    with pytest.raises(NotFound, match="no service 'httpd': give one of worker, orchestrator"):
        services.resolve(["httpd"])


# Health


@pytest.fixture
def system(settings: Settings) -> System:
    """An installation without database, whose orchestrator was heard of a second ago."""
    made = System(settings, memory_store())
    made.store.services.register(_service("orchestrator", timedelta(seconds=1)))
    return made


def _service(name: str, silent: timedelta) -> Service:
    heard = datetime.now(UTC) - silent
    return Service(name, uuid4().hex, "node7", 4711, heard - timedelta(hours=1), heard)


def _states(found: health.Health) -> dict[str, str]:
    return {check.name: check.state.value for check in found.checks}


def test_health_tells_who_lives_who_is_silent_and_who_is_absent(system: System) -> None:
    system.store.services.register(_service("worker", timedelta(minutes=5)))

    found = health.health_of(system)

    states = _states(found)
    assert (states["orchestrator"], states["scheduler"], states["worker"]) == (
        "ok",
        "warning",
        "failed",
    )
    assert "web" not in states
    assert found.state == "failed"
    details = {check.name: check.detail for check in found.checks}
    assert details["orchestrator"] == "process 4711 on node7"
    assert "sen4cap service restart worker" in details["worker"]


class Disk(NamedTuple):
    """What `shutil.disk_usage` tells."""

    total: int
    used: int
    free: int


@pytest.mark.parametrize(
    ("free_gib", "state"), [(0.9, "failed"), (1.1, "warning"), (9.9, "warning"), (10.1, "ok")]
)
def test_a_disk_is_looked_at_before_it_is_full(
    system: System, monkeypatch: pytest.MonkeyPatch, free_gib: float, state: str
) -> None:
    free = int(free_gib * 2**30)
    monkeypatch.setattr(health.shutil, "disk_usage", lambda _path: Disk(free * 2, free, free))

    states = _states(health.health_of(system))

    assert (states["archive"], states["home"]) == (state, state)


def test_a_database_that_cannot_be_reached_is_told_and_not_raised(settings: Settings) -> None:
    url = f"postgresql+psycopg://me:{SECRET}@127.0.0.1:1/sen4cap"
    found = health.health(Settings(home=settings.home, database_url=url, cores=1))

    states = _states(found)
    assert list(states) == ["database", "home", "archive"]
    assert (states["database"], found.state) == ("failed", "failed")
    assert SECRET not in json.dumps(found.as_json())


def test_health_over_http_has_a_code_that_tells_it_all(system: System) -> None:
    with TestClient(create_app(system), base_url="http://127.0.0.1") as client:
        well = client.get("/health.json")
        system.store.services.register(_service("scheduler", timedelta(minutes=5)))
        ill = client.get("/health.json")

    assert (well.status_code, ill.status_code) == (200, 503)
    assert ill.json()["status"] == "failed"


def test_a_cluster_that_does_not_answer_is_told(settings: Settings, tmp_path: Path) -> None:
    with listening(settings.port):
        assert health._cluster(f"tcp://127.0.0.1:{settings.port}").state == "ok"
    assert health._cluster(f"tcp://127.0.0.1:{settings.port}").state == "failed"


# Processes


def test_a_service_runs_in_the_background_until_it_is_ended(settings: Settings) -> None:
    processes.start(settings, ["web"])

    found = claims.running(settings, "web")
    assert found is not None
    assert os.getsid(found.pid) == found.pid
    with urlopen(f"{found.address}/health.json", timeout=10) as answer:
        document = json.load(answer)
    states = {check["name"]: check["state"] for check in document["checks"]}
    assert states["web"] == "ok"
    with pytest.raises(Conflict, match="web runs already"):
        processes.start(settings, ["web"])

    assert processes.stop(settings, ["web"]) == ["web"]
    assert not psutil.pid_exists(found.pid) or _is_zombie(found.pid)
    listening(settings.port).close()
    log = (settings.home / "logs" / "web.log").read_text("utf-8").splitlines()
    events = [json.loads(line)["event"] for line in log]
    assert (events[0], events[-1]) == ("started", "ended")


def _is_zombie(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_service_that_cannot_start_says_why_and_keeps_the_secret(settings: Settings) -> None:
    url = f"postgresql+psycopg://me:{SECRET}@127.0.0.1:1/sen4cap"
    broken = Settings(home=settings.home, database_url=url, port=settings.port, cores=1)

    with pytest.raises(ServiceUnavailable, match=r"scheduler does not start: .*127\.0\.0\.1"):
        processes.start(broken, ["scheduler"])

    log = (settings.home / "logs" / "scheduler.log").read_text("utf-8")
    assert "ServiceUnavailable" in log
    assert SECRET not in log


@pytest.fixture
def up(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """All services in a process group of their own, serving."""
    with subprocess.Popen(
        [sys.executable, "-m", "sen4cap", "up"],
        env=processes.environment(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            _until(lambda: _all_ready(settings) or process.poll() is not None)
            yield process
        finally:
            for left in _members(process.pid):
                left.kill()


def _all_ready(settings: Settings) -> bool:
    found = [claims.running(settings, name) for name in services.SERVICES]
    return all(item is not None and item.ready for item in found)


def _members(pgid: int) -> list[psutil.Process]:
    """Processes of a group that run."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == pgid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def _process(settings: Settings, name: str) -> int:
    """Number of the process of a service; 0 where it does not run."""
    found = claims.running(settings, name)
    return 0 if found is None else found.pid


def test_up_keeps_services_up_and_ctrl_c_ends_all(
    settings: Settings, up: subprocess.Popen[bytes]
) -> None:
    numbers = {name: _process(settings, name) for name in services.SERVICES}
    assert {os.getpgid(number) for number in numbers.values()} == {up.pid}
    with pytest.raises(Conflict, match="belongs to 'sen4cap up'"):
        processes.stop(settings, ["web"])
    os.kill(numbers["web"], signal.SIGKILL)
    _until(lambda: _all_ready(settings) and _process(settings, "web") != numbers["web"])

    os.killpg(up.pid, signal.SIGINT)

    assert up.wait(120) == 0
    assert _members(up.pid) == []
    assert [_process(settings, name) for name in services.SERVICES] == [0] * 4
    for log in (settings.home / "logs").glob("*.log"):
        for line in log.read_text("utf-8").splitlines():
            assert "event" in json.loads(line)


WRITES = """
import sys, time
from pathlib import Path
from sen4cap.processing import write_whole

with write_whole(Path(sys.argv[1], "index.tif")) as temporary:
    temporary.write_bytes(b"half")
    print(flush=True)
    time.sleep(60)
"""


def test_what_killed_processes_left_incomplete_is_removed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = settings.archive_root / "s" / "l3b"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITES, folder / name], stdout=subprocess.PIPE)
        for name in ("killed", "alive")
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.readline()
        writers[0].kill()
        writers[0].wait()
        mine = folder / "killed"
        (mine / "whole.tif").touch()
        (mine / ".index.another-node.1.part.tif").touch()
        reused = mine / f".index.{socket.gethostname()}.{writers[1].pid}.part.tif"
        reused.touch()
        os.utime(reused, (1e9, 1e9))
        monkeypatch.setattr(serving, "_executor", _refusing)
        with pytest.raises(ServiceUnavailable):
            serving.serve_orchestrator(settings, threading.Event(), lambda _: None)
        _until(lambda: len(list(mine.iterdir())) == 2, 10)
        assert {path.name for path in mine.iterdir()} == {
            "whole.tif",
            ".index.another-node.1.part.tif",
        }
        assert len(list((folder / "alive").iterdir())) == 1
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


def _refusing(*_: object) -> None:
    raise ServiceUnavailable("There are no workers.")


@pytest.mark.long
def test_services_end_when_up_is_killed(settings: Settings, up: subprocess.Popen[bytes]) -> None:
    up.kill()
    up.wait()
    _until(lambda: _members(up.pid) == [])
    assert [_process(settings, name) for name in services.SERVICES] == [0] * 4


@pytest.mark.long
def test_steps_go_on_with_workers_that_were_restarted(settings: Settings, tmp_path: Path) -> None:
    with session(settings) as system:
        populate(system, tmp_path / "scenes", 40)
        processes.start(settings, ["worker", "orchestrator"])
        job = jobs.submit(system, "l3b", SITE, SEASON)
        assert job.id is not None
        number = job.id
        _until(lambda: _done(system, number) > 0)
        os.kill(_process(settings, "worker"), signal.SIGKILL)
        processes.restart(settings, ["worker"])
        _until(lambda: system.store.jobs.get(number).status in ENDED)

        assert system.store.jobs.get(number).status is Status.SUCCESSFUL
        made = system.store.products.search(SITE, types=(ProductType.L3B,))
        assert len(made) == 40
        logs = step_logs(system, f"{number}.0")
        assert [json.loads(line)["event"] for line in last_lines(logs, 1)] == ["done"]
        assert len(step_logs(system, str(number))) >= 40
    assert processes.stop(settings, ["orchestrator", "worker"]) == ["orchestrator", "worker"]


def _done(system: System, job: int) -> int:
    return system.store.steps.counts([job])[job].get(Status.SUCCESSFUL, 0)

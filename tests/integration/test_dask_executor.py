"""Steps that must end, on a Dask cluster of this machine: gone with their children and files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from sen4cap.domain import Ending
from sen4cap.engine.attempt import Answer, scratch_folder
from sen4cap.engine.cluster import (
    _slurm_cluster,
    open_cluster,
    slurm_arguments,
    slurm_lifetime,
)
from sen4cap.engine.dask_executor import DaskExecutor, end_worker
from sen4cap.engine.params import MB, ExecutorParams
from sen4cap.engine.processes import Observed, is_running
from sen4cap.engine.running import Running, with_answer
from sen4cap.errors import InvalidParameter, ServiceUnavailable
from sen4cap.processing import Ended, Usage, validate
from sen4cap.testing import steps

GONE_SECONDS = 5.0
PATIENCE = 60.0


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskExecutor]:
    folder = tmp_path_factory.mktemp("cluster")
    made = DaskExecutor(steps.run, open_cluster(ExecutorParams(workers=1), folder))
    yield made
    made.close()


def submit(executor: DaskExecutor, what: str, archive: Path, **limits: object) -> str:
    lease, until = uuid4().hex, time.monotonic() + PATIENCE
    while not executor.free_slots() and time.monotonic() < until:
        time.sleep(0.05)
    executor.submit(lease, steps.task(what, archive, **limits))
    return lease


def ended(executor: DaskExecutor, seconds: float = PATIENCE) -> Ended:
    executor.wait(seconds)
    (found,) = executor.poll()
    return found


def number(path: Path) -> int:
    """Number of a process that a step has written down."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if path.exists() and (text := path.read_text("ascii").strip()):
            return int(text)
        time.sleep(0.05)
    raise AssertionError(f"{path.name} was not written")


def wait_until(ready: Callable[[], bool], seconds: float = GONE_SECONDS) -> bool:
    until = time.monotonic() + seconds
    while not ready() and time.monotonic() < until:
        time.sleep(0.05)
    return ready()


@pytest.mark.parametrize("what", ["compute", "read", "wait_for_child"])
def test_a_step_is_gone_within_five_seconds(
    executor: DaskExecutor, tmp_path: Path, what: str
) -> None:
    """In a loop that holds the interpreter's lock, in GDAL, and with an orphan below a child."""
    lease = submit(executor, what, tmp_path)
    pids = [number(tmp_path / "here" / f"{what}.pid")]
    if what == "wait_for_child":
        pids.append(number(tmp_path / "here" / "orphan.pid"))
    time.sleep(0.5)
    began = time.monotonic()
    executor.end(lease)
    killed = ended(executor, GONE_SECONDS)
    assert time.monotonic() - began < GONE_SECONDS
    assert (killed.lease, killed.kind, killed.exit_code) == (lease, Ending.KILLED, -9)
    assert wait_until(lambda: not any(map(is_running, pids)))


def test_ending_a_step_removes_its_scratch(executor: DaskExecutor, tmp_path: Path) -> None:
    lease = submit(executor, "sleep", tmp_path)
    pid = number(tmp_path / "here" / "sleep.pid")
    left = tmp_path / "here" / f".sleep.{socket.gethostname()}.{pid}.part.tif"
    scratch = Path(tempfile.gettempdir()) / f"sen4cap-run-{lease}"
    assert left.exists()
    assert (scratch / "left").exists()
    executor.end(lease)
    assert ended(executor).kind is Ending.KILLED
    assert wait_until(lambda: not left.exists() and not scratch.exists())
    assert (tmp_path / "here" / "sleep.pid").exists()


class Nanny:
    """One that looks after another worker."""

    worker_address, pid = "tcp://127.0.0.1:9", 1


def test_only_its_own_nanny_takes_the_scratch_of_a_running_step() -> None:
    """Without its scratch a step would fail before it is ended."""
    scratch = scratch_folder("lease-of-a-running-step")
    scratch.mkdir()
    end_worker("tcp://127.0.0.1:8", os.getpid(), "lease-of-a-running-step", Nanny())
    assert scratch.is_dir()
    ended = subprocess.Popen(["true"])
    ended.wait()
    end_worker("tcp://127.0.0.1:8", ended.pid, "lease-of-a-running-step", Nanny())
    assert not scratch.exists()


def test_a_step_that_fails_while_it_is_ended_was_ended() -> None:
    worker = Observed("tcp://127.0.0.1:8", os.getpid(), "here", 0.0, 0, 0, 0.0)
    entry = Running("lease", steps.task("nothing", Path()), worker, 0.0, 0.0)
    answer = Answer(Ending.FAILED, None, "FileNotFoundError: gone.", Usage(), "here", 0)
    assert with_answer(entry, answer).kind is Ending.FAILED
    entry.ending = Ending.KILLED
    found = with_answer(entry, answer)
    assert (found.kind, found.error) == (Ending.KILLED, "It was ended.")


def test_use_is_sampled_while_a_step_runs(executor: DaskExecutor, tmp_path: Path) -> None:
    lease = submit(executor, "compute", tmp_path)
    number(tmp_path / "here" / "compute.pid")
    assert wait_until(lambda: executor.usage()[lease].cpu_seconds > 0.5, 30)
    assert executor.usage()[lease].peak_memory > 50 * MB
    executor.end(lease)
    assert ended(executor).usage.cpu_seconds > 0.5


def test_too_much_memory_ends_a_step_and_names_the_setting(
    executor: DaskExecutor, tmp_path: Path
) -> None:
    submit(executor, "grow", tmp_path, memory=400 * MB)
    grown = ended(executor)
    assert grown.kind is Ending.MEMORY
    assert "more than its 400 MB" in grown.error
    assert "config set executor.memory 800" in grown.error
    assert 400 * MB < grown.usage.peak_memory < 2000 * MB


def test_too_much_time_ends_a_step_and_names_the_setting(
    executor: DaskExecutor, tmp_path: Path
) -> None:
    submit(executor, "sleep", tmp_path, time=1.5)
    late = ended(executor)
    assert late.kind is Ending.TIME
    assert "config set executor.time" in late.error


def test_a_worker_that_dies_is_lost_and_replaced(executor: DaskExecutor, tmp_path: Path) -> None:
    submit(executor, "die", tmp_path)
    assert ended(executor).kind is Ending.LOST
    submit(executor, "nothing", tmp_path)
    assert ended(executor).kind is Ending.DONE


def test_what_a_step_prints_is_in_its_log(executor: DaskExecutor, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "step.log"
    submit(executor, "say", tmp_path, log=log)
    assert ended(executor).kind is Ending.DONE
    assert log.read_text("utf-8").splitlines() == ["from Python", "from a child"]


def test_no_scheduler_at_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sen4cap.engine.dask_executor.CONNECT_SECONDS", 1)
    params = ExecutorParams(cluster="tcp://127.0.0.1:9")
    with pytest.raises(
        ServiceUnavailable, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1"
    ):
        DaskExecutor(steps.run, open_cluster(params, tmp_path))


def test_only_known_clusters_are_taken() -> None:
    with pytest.raises(InvalidParameter, match="'local', 'slurm' or the address"):
        validate("executor", ExecutorParams, {"cluster": "cloud"})


def test_workers_follow_from_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 cores, 20,000 MB: by cores, by memory, as set."""
    monkeypatch.setattr("sen4cap.engine.params.machine_cores", lambda: 8)
    monkeypatch.setattr("sen4cap.engine.params.machine_memory", lambda: 20_000)
    assert ExecutorParams().worker_count == 8
    assert ExecutorParams().step_memory == 2500 * MB
    assert ExecutorParams(cores=4).worker_count == 2
    assert ExecutorParams(memory=6000).worker_count == 3
    assert ExecutorParams(memory=6000).step_memory == 6000 * MB
    assert ExecutorParams(memory=60_000).worker_count == 1
    assert ExecutorParams(workers=5).worker_count == 5
    assert ExecutorParams(time=0).step_time is None
    assert ExecutorParams(time=30).step_time == 1800.0


def test_a_job_of_slurm_is_asked_for_as_set(tmp_path: Path) -> None:
    params = ExecutorParams.model_validate(
        {"cluster": "slurm", "memory": 1536, "cores": 4, "slurm.partition": "long"}
        | {"slurm.account": "cap", "slurm.qos": "night", "slurm.walltime": 1590}
    )
    arguments = slurm_arguments(params, tmp_path)
    arguments.pop("scheduler_options")
    interrupt = signal.getsignal(signal.SIGINT)
    script = _slurm_cluster().job_cls("tcp://127.0.0.1:1", "w", **arguments).job_script()
    assert signal.getsignal(signal.SIGINT) is interrupt, "the import of dask-jobqueue takes it over"
    for line in ("-p long", "-A cap", "--qos=night", "--cpus-per-task=4", "-t 1-02:30:00"):
        assert f"#SBATCH {line}\n" in script
    assert "--mem=2G" in script
    assert "--nthreads 1 " in script
    assert "--memory-limit 0" in script


def test_a_worker_near_its_wall_time_gets_no_step() -> None:
    """Wall time 24 h: with steps of 2 h for 22 h; with steps of 20 h or unlimited for 12 h."""
    for minutes, hours in ((120, 22), (1200, 12), (0, 12)):
        assert slurm_lifetime(ExecutorParams(time=minutes)) == hours * 3600

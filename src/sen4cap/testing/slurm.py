"""A throw-away Slurm on this machine: one node, one partition, nothing kept.

It is started by root, because slurmd runs jobs as the users that submit them.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from sen4cap.errors import ServiceUnavailable

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
PARTITION = "main"
IDLE_SECONDS = 30.0
SPARE = 1024
"""Megabytes of the machine that Slurm does not give away."""


@contextmanager
def cluster(cores: int = 2) -> Iterator[Mapping[str, str]]:
    """Run Slurm; yields the environment that its commands need.

    Raises
    ------
    ServiceUnavailable
        If it is not installed, we are not root, or it does not start.
    """
    _check()
    with tempfile.TemporaryDirectory(prefix="sen4cap-slurm-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        environment = {"SLURM_CONF": str(folder / "slurm.conf")}
        daemons: list[subprocess.Popen[bytes]] = []
        try:
            daemons.append(_munge(folder))
            _write_configuration(folder, cores)
            daemons += [
                _start(folder, [daemon, "-D"], environment) for daemon in ("slurmctld", "slurmd")
            ]
            _wait_until_idle(folder, environment)
            yield environment
        finally:
            with suppress(OSError, subprocess.SubprocessError):
                _run(["scancel", "--partition", PARTITION], environment)
            for daemon in reversed(daemons):
                _stop(daemon)


def _check() -> None:
    missing = [name for name in PROGRAMS if _program(name) is None]
    if missing:
        raise ServiceUnavailable(
            f"Slurm is not complete, {', '.join(missing)} is missing: install it "
            "(Debian: apt-get install slurm-wlm munge)."
        )
    if os.geteuid() != 0:
        raise ServiceUnavailable("A throw-away Slurm is started by root: run the test as root.")


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _munge(folder: Path) -> subprocess.Popen[bytes]:
    """The service by which Slurm's programs know each other, with a key and socket of its own."""
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    options = {"key-file": key, "socket": folder / "munge.socket", "pid-file": folder / "munge.pid"}
    options |= {"log-file": folder / "munge.log", "seed-file": folder / "munge.seed"}
    words = [f"--{name}={path}" for name, path in options.items()]
    started = _start(folder, ["munged", "--foreground", "--force", *words], {})
    _wait_for(options["socket"].exists, "munge", folder)
    return started


def _write_configuration(folder: Path, cores: int) -> None:
    node = socket.gethostname().split(".")[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 - SPARE
    controller, daemon = _free_ports()
    for name in ("state", "spool"):
        (folder / name).mkdir()
    values = {
        "ClusterName": "sen4cap",
        "SlurmctldHost": f"{node}(127.0.0.1)",
        "SlurmUser": "root",
        "SlurmdUser": "root",
        "SlurmctldPort": controller,
        "SlurmdPort": daemon,
        "AuthType": "auth/munge",
        "AuthInfo": f"socket={folder / 'munge.socket'}",
        "CredType": "cred/munge",
        "StateSaveLocation": folder / "state",
        "SlurmdSpoolDir": folder / "spool",
        "SlurmctldPidFile": folder / "slurmctld.pid",
        "SlurmdPidFile": folder / "slurmd.pid",
        "SlurmctldLogFile": folder / "slurmctld.log",
        "SlurmdLogFile": folder / "slurmd.log",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "JobAcctGatherType": "jobacct_gather/linux",
        "AccountingStorageType": "accounting_storage/none",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_Core_Memory",
        "SchedulerParameters": "batch_sched_delay=0,sched_interval=2,bf_interval=2",
        "MpiDefault": "none",
        "KillWait": 5,
        "ReturnToService": 2,
    }
    lines = [f"{name}={value}" for name, value in values.items()]
    lines.append(f"NodeName={node} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory}")
    lines.append(f"PartitionName={PARTITION} Nodes={node} Default=YES MaxTime=INFINITE State=UP")
    (folder / "slurm.conf").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "cgroup.conf").write_text("CgroupAutomount=no\n", "utf-8")


def _free_ports() -> tuple[int, int]:
    """Two ports that nobody uses; taken together, because one that is freed may come again."""
    with socket.socket() as first, socket.socket() as second:
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
        return int(first.getsockname()[1]), int(second.getsockname()[1])


def _start(
    folder: Path, words: list[str], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    program = str(_program(words[0]))
    with (folder / f"{words[0]}.out").open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - programs of the system, arguments of ours
            [program, *words[1:]],
            stdout=output,
            stderr=output,
            env={**os.environ, **environment},
            start_new_session=True,
        )


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(10)
    except subprocess.TimeoutExpired:
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(10)


def _run(words: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(  # noqa: S603 - programs of the system, arguments of ours
        [str(_program(words[0])), *words[1:]],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        env={**os.environ, **environment},
    )
    return done.stdout.strip()


def _wait_until_idle(folder: Path, environment: Mapping[str, str]) -> None:
    words = ["sinfo", "--noheader", "--format=%T"]
    _wait_for(lambda: _run(words, environment) == "idle", "Slurm", folder)


def _wait_for(ready: Callable[[], bool], what: str, folder: Path) -> None:
    until = time.monotonic() + IDLE_SECONDS
    while time.monotonic() < until:
        if ready():
            return
        time.sleep(0.2)
    logs = sorted([*folder.glob("*.log"), *folder.glob("*.out")])
    told = [line for path in logs for line in path.read_text("utf-8", "replace").splitlines()[-2:]]
    raise ServiceUnavailable(f"{what} does not start: {'; '.join(told) or 'no reason given'}")

"""Settings of step execution: `executor.…` in the configuration, declared like any parameter."""

from __future__ import annotations

from pydantic import field_validator

from sen4cap.processing import Params, parameter

PREFIX = "executor."
CATEGORY = "Executor"
MB = 1024 * 1024
SHARE = 0.9
"""Part of a machine's memory that its workers may use together."""
CLUSTER_MEMORY = 4096
"""Megabytes of a step where nothing is set and the machine is not ours to share."""
DAY = 24 * 60


class ExecutorParams(Params):
    """Where steps run, how many at once, and how much each may use."""

    cluster: str = parameter(
        "local",
        title="Cluster",
        description="Where steps run: 'local', 'slurm', or the address of a Dask scheduler, "
        "tcp://host:port, whose workers have a nanny and see the archive.",
    )
    workers: int = parameter(
        0,
        title="Workers",
        description="Steps that run at the same time; 0 is what the machine has cores and memory "
        "for, and on Slurm two.",
        ge=0,
        le=10_000,
    )
    cores: int = parameter(
        1, title="Cores", description="Cores that one step may use.", ge=1, le=1024
    )
    memory: int = parameter(
        0,
        title="Memory",
        description="Memory that one step may use before it is ended; 0 is an equal share of the "
        f"machine, and {CLUSTER_MEMORY} on a cluster.",
        unit="MB",
        ge=0,
        le=16 * 1024 * 1024,
    )
    time: int = parameter(
        720,
        title="Time",
        description="Time that one step may take before it is ended; 0 is no limit.",
        unit="min",
        ge=0,
        le=30 * DAY,
    )
    pool_download: int = parameter(
        2,
        title="Downloads",
        description="Steps that download at the same time.",
        key="pool.download",
        ge=1,
        le=1000,
    )
    slurm_partition: str = parameter(
        "",
        title="Slurm partition",
        description="Partition of the workers' jobs; empty is the default one.",
        key="slurm.partition",
    )
    slurm_account: str = parameter(
        "",
        title="Slurm account",
        description="Account of the workers' jobs; empty is the user's own.",
        key="slurm.account",
        advanced=True,
    )
    slurm_qos: str = parameter(
        "",
        title="Slurm quality of service",
        description="QOS of the workers' jobs; empty is the default one.",
        key="slurm.qos",
        advanced=True,
    )
    slurm_walltime: int = parameter(
        DAY,
        title="Slurm wall time",
        description="Time of one worker's job; a new one takes its place. Should be longer than "
        "the time of a step.",
        unit="min",
        key="slurm.walltime",
        ge=5,
        le=365 * DAY,
    )
    slurm_interface: str = parameter(
        "",
        title="Slurm network interface",
        description="Network interface over which workers are reached, such as ib0; empty is "
        "found out.",
        key="slurm.interface",
        advanced=True,
    )

    @field_validator("cluster")
    @classmethod
    def _known(cls, value: str) -> str:
        if value in {"local", "slurm"} or value.startswith(("tcp://", "tls://")):
            return value
        message = "it is 'local', 'slurm' or the address of a Dask scheduler, tcp://host:port"
        raise ValueError(message)

    @property
    def worker_count(self) -> int:
        """Steps at the same time."""
        if self.workers:
            return self.workers
        if self.cluster == "slurm":
            return 2
        by_memory = machine_memory() // self.memory if self.memory else machine_cores()
        return max(1, min(machine_cores() // self.cores, by_memory))

    @property
    def step_memory(self) -> int:
        """Limit of one step, bytes."""
        if self.memory:
            return self.memory * MB
        if self.cluster == "local":
            return machine_memory() * MB // self.worker_count
        return CLUSTER_MEMORY * MB

    @property
    def step_time(self) -> float | None:
        """Limit of one step, seconds; None for no limit."""
        return self.time * 60.0 or None


def machine_cores() -> int:
    """Cores that this process may use, limits of containers included."""
    from dask.system import CPU_COUNT

    return int(CPU_COUNT)


def machine_memory() -> int:
    """Memory that workers may use together, megabytes, limits of containers included."""
    from distributed.system import MEMORY_LIMIT

    return int(MEMORY_LIMIT * SHARE) // MB

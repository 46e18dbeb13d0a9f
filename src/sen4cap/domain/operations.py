"""What an operation makes of a job and its steps: pure, so that all stores do the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sen4cap.domain.job import ENDED, Job, Status, StepRecord, changed
from sen4cap.domain.product import Product
from sen4cap.errors import Conflict

Change = tuple[Job, list[StepRecord]]
"""The job, and those of its steps that are no longer what they were."""
_OPEN = (Status.ACCEPTED, Status.RUNNING, Status.PAUSED)


@dataclass(frozen=True)
class Closed:
    """What one run of a step came to, to be kept if its lease is still good."""

    lease: str
    step: StepRecord
    """As it is to be; its status follows `running`."""
    product: Product | None = None


@dataclass(frozen=True)
class Claim:
    """What an orchestrator asks for: steps to run, under leases of its own."""

    owner: str
    """Token of the service; its leases begin with it."""
    limit: int
    """At most so many."""
    now: datetime
    until: datetime
    """When the leases run out unless they are renewed."""
    pools: Mapping[str, str] = field(default_factory=dict)
    """Pool by processor."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Steps that may run at once, by pool."""
    only: int | None = None
    """Steps of this job alone."""

    def lease(self, job: Job, step: StepRecord) -> StepRecord:
        """A step of a job, running under a lease that no other run has had."""
        attempt = step.attempt + 1
        return changed(
            step,
            Status.RUNNING,
            attempt=attempt,
            started=self.now,
            ended=None,
            reason="",
            lease=f"{self.owner}-{step.id}-{attempt}",
            lease_until=self.until,
            log=f"{log_folder(job)}/{step.position:05d}-{attempt}.log",
        )


def log_folder(job: Job) -> str:
    """Folder of the logs of a job's steps, below the archive."""
    return f"{job.site}/logs/job-{job.id}"


def owner_of(lease: str) -> str:
    """The token of the service that holds a lease."""
    return lease.rsplit("-", 2)[0]


def paused(job: Job, steps: Sequence[StepRecord], *, now: bool = False) -> Change:
    """Nothing new of the job starts; with `now`, what runs loses its lease and starts anew."""
    _require(job, (Status.ACCEPTED, Status.RUNNING), "paused")
    return changed(job, Status.PAUSED), [_given_back(item) for item in _running(steps) if now]


def resumed(job: Job, _steps: Sequence[StepRecord]) -> Change:
    """Its steps start again."""
    _require(job, (Status.PAUSED,), "resumed")
    return changed(job, Status.ACCEPTED if job.started is None else Status.RUNNING), []


def cancelled(job: Job, steps: Sequence[StepRecord], at: datetime, reason: str = "") -> Change:
    """All that is open is dismissed; what runs loses its lease."""
    _require(job, _OPEN, "cancelled")
    return changed(job, Status.DISMISSED, reason=reason, ended=at), _dismissed(steps, at)


def settled(job: Job, steps: Sequence[StepRecord], at: datetime) -> Change:
    """What becomes of a job some of whose steps have just ended.

    One that failed takes along only the steps that wait for it; the job goes on with the others,
    and fails when the last has ended.
    """
    dismissed = _dismissed(_blocked(steps), at)
    if len(dismissed) < sum(item.status not in ENDED for item in steps):
        return job, dismissed
    reasons = [item.reason for item in steps if item.status is Status.FAILED]
    if not reasons:
        return changed(job, Status.SUCCESSFUL, ended=at), []
    several = f"{len(reasons)} of {len(steps)} steps failed; the first: "
    reason = f"{several * (len(reasons) > 1)}{reasons[0]} {job.reason}".rstrip()
    return changed(job, Status.FAILED, reason=reason, ended=at), dismissed


def failed(job: Job, steps: Sequence[StepRecord], reason: str, at: datetime) -> Change:
    """The job fails at once, with all that is open."""
    ended = changed(job, Status.FAILED, reason=reason, ended=at)
    return ended, _dismissed(steps, at)


def retried(job: Job, steps: Sequence[StepRecord]) -> Change:
    """What failed or was dismissed is done again; what is successful stays."""
    _require(job, (Status.FAILED, Status.DISMISSED), "retried")
    again = [item for item in steps if item.status in {Status.FAILED, Status.DISMISSED}]
    if not again:
        raise Conflict(f"Job {job.id} has no step that could be retried: run it anew.")
    fresh = changed(job, Status.ACCEPTED, reason="", ended=None)
    return fresh, [
        changed(item, Status.ACCEPTED, reason="", ended=None, losses=0) for item in again
    ]


def check_deletable(job: Job) -> None:
    """Refuse to delete a job that has not ended.

    Raises
    ------
    Conflict
        If it has not.
    """
    if job.status not in ENDED:
        raise Conflict(f"Job {job.id} is {job.status}: cancel it before deleting it.")


def _require(job: Job, allowed: Collection[Status], done: str) -> None:
    if job.status not in allowed:
        raise Conflict(f"Job {job.id} is {job.status} and cannot be {done}.")


def _running(steps: Sequence[StepRecord]) -> list[StepRecord]:
    return [item for item in steps if item.status is Status.RUNNING]


def _given_back(step: StepRecord) -> StepRecord:
    return changed(step, Status.ACCEPTED, lease=None, lease_until=None, started=None)


def _blocked(steps: Sequence[StepRecord]) -> list[StepRecord]:
    """Open steps that wait, directly or through others, for one that will not be done."""
    lost = {item.position for item in steps if item.status in {Status.FAILED, Status.DISMISSED}}
    found = []
    for item in sorted(steps, key=lambda step: step.position):
        if item.status not in ENDED and (lost & set(item.after) or (lost and item.finish)):
            found.append(item)
            lost.add(item.position)
    return found


def _dismissed(steps: Sequence[StepRecord], at: datetime) -> list[StepRecord]:
    return [
        replace(changed(item, Status.DISMISSED, ended=at), lease=None, lease_until=None)
        for item in steps
        if item.status not in ENDED
    ]

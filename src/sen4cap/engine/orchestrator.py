"""From the queue to workers and back: claims steps, hands them out, keeps what they came to.

Everything that must survive is in the store; what is held here is only which runs are out. Whoever
pauses, cancels or deletes a job takes its leases away in the store, and the orchestrator ends the
runs that have none. A run that ended is kept until the store has taken it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event

import structlog

from sen4cap.domain import Ending, Job, Service, Status, StepRecord
from sen4cap.domain.job import changed
from sen4cap.domain.operations import Claim, Closed
from sen4cap.engine.executor import Executor
from sen4cap.engine.ports import Queue
from sen4cap.errors import Sen4capError, ServiceUnavailable
from sen4cap.processing import Ended, Step, Task
from sen4cap.processing.task import context_of

LEASE = timedelta(seconds=60)
"""How long a lease is good without being renewed."""
BEAT = timedelta(seconds=5)
"""Between two heartbeats, which renew the leases, and two looks for lost ones."""
CHECK = timedelta(seconds=0.5)
"""Between two looks for runs whose lease was taken away."""
LOSSES = 5
"""A step whose worker was lost so often fails."""
BUSY, IDLE = 0.002, 0.25
"""Seconds between two ticks: the shortest, and the longest, reached by doubling."""


@dataclass(frozen=True)
class Rules:
    """Limits of steps, and which of them are taken."""

    memory: int | None = None
    """Bytes of one step."""
    time: float | None = None
    """Seconds of one step."""
    cores: int | None = None
    """Threads of one step; None: as the job says."""
    pools: Mapping[str, str] = field(default_factory=dict)
    """Pool by processor."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Steps that may run at once, by pool."""
    only: int | None = None
    """Steps of this job alone."""
    losses: int = LOSSES
    lease: timedelta = LEASE


class Orchestrator:
    """Runs the steps of jobs, as one of possibly several."""

    def __init__(
        self,
        queue: Queue,
        executor: Executor,
        service: Service,
        clock: Callable[[], datetime],
        rules: Callable[[], Rules] = Rules,
        *,
        alone: bool = False,
        every_beat: Callable[[], object] = lambda: None,
    ) -> None:
        """`rules` is asked, and `every_beat` called, at each heartbeat."""
        self.queue, self.executor, self.clock, self.alone = queue, executor, clock, alone
        self.service, self.read_rules, self.every_beat = service, rules, every_beat
        self.rules = rules()
        self.out: dict[str, StepRecord] = {}
        self.claimed: list[tuple[Job, StepRecord]] = []
        self.ended: list[Ended] = []
        self.checked = service.started
        self.is_registered = False
        self.log = structlog.get_logger(__name__).bind(orchestrator=service.token)

    def start(self) -> None:
        """Take the office; `Conflict` where there may be one orchestrator only, and there is."""
        self.service = replace(self.service, heartbeat=self.clock())
        self.queue.services.register(self.service, alone=self.alone)
        self.is_registered = True
        self.queue.steps.take_back(self.service.heartbeat)

    def stop(self) -> None:
        """End what runs, give the leases back and leave the office.

        Where the store is away, the leases run out by themselves.
        """
        for lease in self.out:
            self.executor.end(lease)
        self.out.clear()
        self.claimed.clear()
        self.ended.clear()
        if self.is_registered:
            self.is_registered = False
            with suppress(ServiceUnavailable):
                self.queue.services.leave(self.service.token)
                self.queue.steps.take_back(self.clock())

    def tick(self) -> bool:
        """One round; whether there was anything to do.

        Raises
        ------
        ServiceUnavailable
            If the store cannot be reached: nothing is lost, the next round goes on.
        Conflict
            If another orchestrator took the office meanwhile.
        """
        self._beat()
        self._end_without_lease()
        kept = self._turn()
        begun = self._begin_claimed()
        return kept or begun

    def run(self, stop: Event) -> None:
        """Round after round until `stop` is set; then everything that runs is ended.

        Raises
        ------
        Conflict
            If there may be one orchestrator only, and there is another.
        """
        self.start()
        pause = BUSY
        try:
            while not stop.is_set():
                pause = BUSY if self._try_tick() else min(2 * pause, IDLE)
                self.executor.wait(pause)
        finally:
            self.stop()

    def _try_tick(self) -> bool:
        try:
            return self.tick()
        except ServiceUnavailable as error:
            self.log.warning("store unavailable", reason=str(error))
            return False

    def _beat(self) -> None:
        now = self.clock()
        if now - self.service.heartbeat < BEAT:
            return
        beating = replace(self.service, heartbeat=now)
        if not self.queue.services.beat(beating.token, now):
            self.queue.services.register(beating, alone=self.alone)
        self.queue.steps.renew(self._leases(), now + self.rules.lease)
        taken = self.queue.steps.take_back(now)
        for step in taken:
            self.log.warning("step taken back", job=step.job_id, step=step.position)
        self.service, self.rules = beating, self.read_rules()
        self.every_beat()

    def _leases(self) -> list[str]:
        """What we know to hold. A claim whose answer was lost is not among it, and runs out."""
        claimed = [step.lease for _job, step in self.claimed if step.lease is not None]
        return [*self.out, *claimed]

    def _end_without_lease(self) -> None:
        now = self.clock()
        if not self.out or now - self.checked < CHECK:
            return
        self.checked = now
        gone = self.out.keys() - self.queue.steps.leases(self.service.token)
        for lease in sorted(gone):
            self.executor.end(lease)
            del self.out[lease]

    def _turn(self) -> bool:
        """Keep what ended and claim what may start, together; whether anything had ended."""
        self.ended += self.executor.poll()
        free = 0 if self.claimed else self.executor.free_slots()
        if not self.ended and not free:
            return False
        now = self.clock()
        known = [item for item in self.ended if item.lease in self.out]
        closed = [self._closed(item, now) for item in known]
        if free:
            self.claimed = self._kept_and_claimed(closed, now, self._asking(free))
        else:
            self._keep(closed, now)
        for item in known:
            self.out.pop(item.lease, None)
        ended = bool(self.ended)
        self.ended.clear()
        return ended

    def _kept_and_claimed(
        self, closed: Sequence[Closed], now: datetime, claim: Claim
    ) -> list[tuple[Job, StepRecord]]:
        try:
            return self.queue.steps.turn(closed, now, claim)
        except ServiceUnavailable:
            raise
        except Sen4capError:
            self._keep(closed, now)
            return []

    def _closed(self, ended: Ended, now: datetime) -> Closed:
        step = closed(self.out[ended.lease], ended, now, self.rules.losses)
        return Closed(ended.lease, step, ended.product)

    def _keep(self, items: Sequence[Closed], now: datetime) -> None:
        """Commit together; if that is refused one by one, and what is refused then fails."""
        try:
            self.queue.steps.commit(items, now)
        except ServiceUnavailable:
            raise
        except Sen4capError:
            for item in items:
                self._keep_one(item, now)

    def _keep_one(self, item: Closed, now: datetime) -> None:
        try:
            self.queue.steps.commit([item], now)
        except ServiceUnavailable:
            raise
        except Sen4capError as error:
            step = replace(item.step, status=Status.FAILED, reason=str(error))
            self.queue.steps.commit([Closed(item.lease, step)], now)

    def _begin_claimed(self) -> bool:
        """Hand out what was claimed, and keep what turns out to be done; whether there was any."""
        known = list(self._begun())
        self._keep([item for item in known if item is not None], self.clock())
        return bool(known)

    def _begun(self) -> Iterator[Closed | None]:
        """Begin what was claimed; what cannot be begun now stays for the next round."""
        while self.claimed:
            try:
                begun = self._begin(*self.claimed[0])
            except ServiceUnavailable as error:
                self.log.warning("step put off", reason=str(error))
                return
            del self.claimed[0]
            yield begun

    def _asking(self, limit: int) -> Claim:
        now, rules = self.clock(), self.rules
        until = now + rules.lease
        token = self.service.token
        return Claim(token, limit, now, until, rules.pools, rules.limits, rules.only)

    def _begin(self, job: Job, step: StepRecord) -> Closed | None:
        """Hand a step out; or what it came to already."""
        assert step.lease is not None
        try:
            task = self._task(job, step)
            if task is None:
                return Closed(step.lease, _without_lease(step, Status.SUCCESSFUL, self.clock()))
            self.executor.submit(step.lease, task)
        except ServiceUnavailable:
            raise
        except Sen4capError as error:
            ended = Ended(step.lease, Ending.FAILED, error=str(error))
            return Closed(step.lease, closed(step, ended, self.clock(), self.rules.losses))
        self.out[step.lease] = step
        return None

    def _task(self, job: Job, step: StepRecord) -> Task | None:
        """What a worker needs; None where the slot holds the revision, made by another job."""
        context = context_of(job.context)
        if self.rules.cores is not None:
            context = replace(context, cores=self.rules.cores)
        previous = None if step.finish else self.queue.products.current(step.slot)
        if previous is not None and previous.revision == step.revision:
            return None
        inputs = tuple(self.queue.products.named(step.inputs))
        return Task(
            processor=job.processor,
            parameters=job.parameters,
            step=Step(inputs, step.slot, step.revision, previous),
            context=context,
            log=context.archive / step.log,
            memory=self.rules.memory,
            time=self.rules.time,
            finish=step.finish,
        )


def closed(step: StepRecord, ended: Ended, at: datetime, losses: int) -> StepRecord:
    """The step after a run; one whose worker was lost is run again, until that was too often."""
    step = replace(
        step,
        node=ended.node,
        exit_code=ended.exit_code,
        cpu_seconds=ended.usage.cpu_seconds,
        peak_memory=ended.usage.peak_memory,
    )
    if ended.kind is Ending.DONE:
        return _without_lease(step, Status.SUCCESSFUL, at)
    if ended.kind is Ending.KILLED:
        return replace(_without_lease(step, Status.ACCEPTED, None), started=None)
    if ended.kind is Ending.LOST:
        step = replace(step, losses=step.losses + 1)
        if step.losses < losses:
            return replace(_without_lease(step, Status.ACCEPTED, None), started=None)
        reason = f"Its worker was lost {step.losses} times: {ended.error or 'no reason is known.'}"
        return replace(_without_lease(step, Status.FAILED, at), reason=reason)
    return replace(_without_lease(step, Status.FAILED, at), reason=ended.error)


def _without_lease(step: StepRecord, status: Status, ended: datetime | None) -> StepRecord:
    return changed(step, status, ended=ended, lease=None, lease_until=None)

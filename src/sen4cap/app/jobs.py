"""Jobs: what they are asked for, and what is done with them.

A job is planned when it is submitted: whatever is wrong with it is said then. Its parameters and
surroundings stay as they were at that moment.
"""

from __future__ import annotations

import getpass
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from sen4cap.app.planning import Draft, draft, parameters
from sen4cap.app.running import drive, orchestrator
from sen4cap.app.system import System
from sen4cap.domain import Job, Product, StartType, Status, StepRecord
from sen4cap.domain.job import NORMAL_PRIORITY, changed
from sen4cap.domain.operations import cancelled, log_folder, paused, resumed, retried
from sen4cap.engine import records
from sen4cap.errors import NotFound
from sen4cap.processing import (
    Progress,
    as_text,
    no_progress,
    parameters_of,
    processor,
)
from sen4cap.processing.task import as_json

__all__ = [
    "Outcome",
    "add",
    "cancel",
    "command_of",
    "delete",
    "draft",
    "log_of",
    "orchestrator",
    "parameters",
    "pause",
    "resume",
    "retry",
    "run",
    "step_at",
    "submit",
]


@dataclass(frozen=True)
class Outcome:
    """What a job came to."""

    job: Job
    made: tuple[Product, ...]
    stood: tuple[Product, ...]
    """Of steps with nothing to do, because these stood already."""

    @property
    def standing(self) -> int:
        """Steps with nothing to do."""
        return len(self.stood)


def submit(
    system: System,
    processor_id: str,
    site: str,
    season: str,
    overrides: Mapping[str, Any] | None = None,
    *,
    name: str = "",
    who: str = "",
    why: StartType = StartType.REQUESTED,
    priority: int = NORMAL_PRIORITY,
    nominal: date | None = None,
) -> Job:
    """Ask for a job; it is planned now and run by the services.

    Its inputs go up to `nominal`, that day included; by default, to the end of the season.

    Raises
    ------
    NotFound, InvalidParameter, NoInput
        If it is refused; then nothing is recorded.
    """
    drafted = draft(system, processor_id, site, season, overrides, nominal)
    return add(system, drafted, name=name, who=who, why=why, priority=priority)


def add(
    system: System,
    drafted: Draft,
    *,
    name: str = "",
    who: str = "",
    why: StartType = StartType.REQUESTED,
    priority: int = NORMAL_PRIORITY,
) -> Job:
    """Record a planned job with its steps; one without any is successful at once."""
    chosen, context = drafted.processor, drafted.context
    steps = records(drafted.plan, finishes=drafted.finishes)
    job = Job(
        chosen.id,
        context.site.short_name,
        context.season.name,
        drafted.parameters.model_dump(mode="json", by_alias=True),
        reason=drafted.left_out,
        submitted=datetime.now(UTC),
        name=name or chosen.title,
        who=who or _user(),
        why=why,
        priority=priority,
        nominal=drafted.nominal,
        context=as_json(context),
    )
    added = system.store.jobs.add(job, steps)
    return added if steps else _with_nothing_to_do(system, added)


def _with_nothing_to_do(system: System, job: Job) -> Job:
    running = changed(job, Status.RUNNING, started=job.submitted)
    system.store.jobs.update(running)
    return system.store.jobs.update(changed(running, Status.SUCCESSFUL, ended=job.submitted))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def run(
    system: System,
    processor_id: str,
    site: str,
    season: str,
    overrides: Mapping[str, Any] | None = None,
    progress: Progress = no_progress,
    *,
    nominal: date | None = None,
    slot: str | None = None,
) -> Outcome:
    """Submit a job and run it here, step by step, each committed when it is done.

    No services are needed; where they run, they may take steps of it too. With `slot`, only the
    step of that slot.

    Raises
    ------
    NotFound, InvalidParameter, NoInput
        At submission, before anything is recorded or made.
    Sen4capError
        Whatever ended a step; the job is recorded as failed with the sentence, the products of
        earlier steps stay.
    """
    drafted = draft(system, processor_id, site, season, overrides, nominal)
    if slot is not None:
        drafted = drafted.only(slot)
    job = drive(system, add(system, drafted), progress)
    kinds = (drafted.processor.produces,)
    standing = {item.slot: item for item in system.store.products.search(site, types=kinds)}
    made = tuple(standing[step.slot] for step in drafted.plan.steps if step.slot in standing)
    stood = tuple(step.previous for step in drafted.plan.done if step.previous is not None)
    return Outcome(job, made, stood)


def pause(system: System, number: int, *, now: bool = False) -> Job:
    """Start nothing new of a job; with `now` end what runs, to start from zero when resumed."""
    return system.store.jobs.change(number, partial(paused, now=now))


def resume(system: System, number: int) -> Job:
    """Go on with a paused job."""
    return system.store.jobs.change(number, resumed)


def cancel(system: System, number: int) -> Job:
    """End a job and all that runs of it; its products stay."""
    return system.store.jobs.change(number, partial(cancelled, at=datetime.now(UTC)))


def retry(system: System, number: int) -> Job:
    """Do again what failed or was dismissed; what is successful stays."""
    return system.store.jobs.change(number, retried)


def delete(system: System, number: int) -> None:
    """Forget a job that has ended, with its steps and logs; its products stay."""
    job = system.store.jobs.get(number)
    system.store.jobs.delete(number)
    shutil.rmtree(system.archive / log_folder(job), ignore_errors=True)


def step_at(system: System, number: int, position: int) -> StepRecord:
    """The step of a job at a position.

    Raises
    ------
    NotFound
        If there is no such job or step.
    """
    system.store.jobs.get(number)
    steps = system.store.steps.of(number)
    if not 0 <= position < len(steps):
        raise NotFound(f"Job {number} has no step {position}: its steps are 0 to {len(steps) - 1}.")
    return steps[position]


def log_of(system: System, number: int, position: int | None = None) -> str:
    """The log of a step's last run; by default of the one that failed or began last.

    Raises
    ------
    NotFound
        If there is no such step, or it has not run.
    """
    step = _notable(system, number) if position is None else step_at(system, number, position)
    path = system.archive / step.log if step is not None and step.log else None
    if path is None or not path.is_file():
        raise NotFound(f"Job {number} has no such log: its steps have not run, or it was removed.")
    return path.read_text("utf-8", errors="replace")


def _notable(system: System, number: int) -> StepRecord | None:
    system.store.jobs.get(number)
    begun = [step for step in system.store.steps.of(number) if step.log]
    failures = [step for step in begun if step.status is Status.FAILED]
    return next(reversed(failures or begun), None)


def command_of(job: Job, step: StepRecord) -> str:
    """A command for the terminal that does what the step does."""
    words = ["sen4cap", "run", job.processor, job.site, job.season]
    if not step.finish:
        words += ["--slot", step.slot]
    if job.nominal is not None:
        words += ["--nominal", job.nominal.isoformat()]
    for item in parameters_of(processor(job.processor).params):
        flag, value = item.name.replace("_", "-"), job.parameters.get(item.key)
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif value is not None:
            words += [f"--{flag}", as_text(value)]
    return shlex.join(words)

"""`sen4cap job`: ask for work, look at it, and pause, cancel or repeat it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from sen4cap.cli.output import AsJson, emit, pair, table
from sen4cap.domain import Job, Status, StepRecord

app = typer.Typer(
    help="Ask for work, look at it, pause, cancel or repeat it.", no_args_is_help=True
)

Number = Annotated[int, typer.Argument(metavar="JOB", help="Number of the job.")]


@app.command("submit")
def submit_job(
    processor: Annotated[str, typer.Argument(help="Short name of the processor.")],
    site: Annotated[str, typer.Argument(help="Short name of the site.")],
    season: Annotated[str, typer.Argument(help="Name of the season.")],
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A parameter; may be repeated."),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the job, for people.")] = "",
    priority: Annotated[int, typer.Option(help="Lower is earlier.")] = 100,
    nominal: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Last day of the inputs; else the season's."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Plan a job and leave it to the services ('sen4cap up')."""
    from sen4cap.app import jobs, system

    day = nominal.date() if nominal else None
    values = dict(pair(item) for item in given or ())
    with system.session() as here:
        job = jobs.submit(
            here, processor, site, season, values, name=name, priority=priority, nominal=day
        )
        steps = here.store.steps.of(job.id or 0)
    _tell(job, as_json, f"{len(steps)} steps to do" if steps else "all of it stands already")


@app.command("list")
def list_jobs(
    site: Annotated[str | None, typer.Option(help="Only of this site.")] = None,
    status: Annotated[list[Status] | None, typer.Option(help="Only in these statuses.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from sen4cap.app import system

    with system.session() as here:
        found = here.store.jobs.all(site=site, limit=limit, statuses=status or ())
        counts = here.store.steps.counts([item.id or 0 for item in found])
    rows = [_row(item, counts[item.id or 0]) for item in found]
    columns = ["job", "name", "processor", "site", "season", "why", "status", "steps", "reason"]
    records = [{**_record(item), "steps": counts[item.id or 0]} for item in found]
    emit(records, as_json, table(columns, rows))


def _row(job: Job, counts: dict[Status, int]) -> Sequence[Any]:
    total, done = sum(counts.values()), counts.get(Status.SUCCESSFUL, 0)
    return (
        job.id,
        job.name,
        job.processor,
        job.site,
        job.season,
        job.why.value,
        job.status.value,
        f"{done}/{total}" if total else "",
        job.reason,
    )


def _record(job: Job) -> dict[str, Any]:
    return {key: value for key, value in asdict(job).items() if key != "context"}


@app.command("show")
def show_job(job: Number, as_json: AsJson = False) -> None:
    """Show a job with every parameter it used."""
    from sen4cap.app import system

    with system.session() as here:
        found = here.store.jobs.get(job)
        counts = here.store.steps.counts([job])[job]
    record = {**_record(found), "steps": counts}
    rows = [(key, value) for key, value in record.items() if key not in {"parameters", "steps"}]
    rows += [(f"steps {status}", count) for status, count in sorted(counts.items())]
    rows += [(f"  {key}", value) for key, value in found.parameters.items()]
    emit(record, as_json, table(["what", "value"], rows))


@app.command("pause")
def pause_job(
    job: Number,
    now: Annotated[
        bool, typer.Option("--now", help="End running steps; they will start from zero.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start nothing new of a job; running steps finish."""
    from sen4cap.app import jobs, system

    with system.session() as here:
        _tell(jobs.pause(here, job, now=now), as_json)


@app.command("resume")
def resume_job(job: Number, as_json: AsJson = False) -> None:
    """Go on with a paused job."""
    from sen4cap.app import jobs, system

    with system.session() as here:
        _tell(jobs.resume(here, job), as_json)


@app.command("cancel")
def cancel_job(job: Number, as_json: AsJson = False) -> None:
    """End a job with all that runs of it; what it has made stays."""
    from sen4cap.app import jobs, system

    with system.session() as here:
        _tell(jobs.cancel(here, job), as_json)


@app.command("retry")
def retry_job(job: Number, as_json: AsJson = False) -> None:
    """Do again what failed or was dismissed; what is done stays."""
    from sen4cap.app import jobs, system

    with system.session() as here:
        _tell(jobs.retry(here, job), as_json)


@app.command("delete")
def delete_job(job: Number, as_json: AsJson = False) -> None:
    """Forget a job that has ended, with its steps and logs; what it has made stays."""
    from sen4cap.app import jobs, system

    with system.session() as here:
        jobs.delete(here, job)
    emit({"deleted": job}, as_json, f"Job {job} is deleted.")


@app.command("steps")
def list_steps(
    job: Number,
    status: Annotated[list[Status] | None, typer.Option(help="Only in these statuses.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the steps of a job; with --json also the command that does the same as each."""
    from sen4cap.app import jobs, system

    with system.session() as here:
        found = here.store.jobs.get(job)
        wanted = [item for item in here.store.steps.of(job) if not status or item.status in status]
    records = [{**asdict(item), "command": jobs.command_of(found, item)} for item in wanted]
    columns = ["step", "what", "status", "try", "seconds", "CPU s", "MB", "node", "reason"]
    emit(records, as_json, table(columns, [_step_row(item) for item in wanted]))


def _step_row(step: StepRecord) -> Sequence[Any]:
    seconds = (step.ended - step.started).total_seconds() if step.ended and step.started else None
    return (
        step.position,
        step.label,
        step.status.value,
        step.attempt,
        "" if seconds is None else f"{seconds:.1f}",
        "" if step.cpu_seconds is None else f"{step.cpu_seconds:.1f}",
        "" if not step.peak_memory else f"{step.peak_memory / 1024**2:.0f}",
        step.node,
        step.reason,
    )


@app.command("step")
def show_step(
    job: Number,
    position: Annotated[int, typer.Argument(help="Position of the step in the job.")],
    as_json: AsJson = False,
) -> None:
    """Show a step: what it read, what became of it, and the command that does the same."""
    from sen4cap.app import jobs, system

    with system.session() as here:
        step = jobs.step_at(here, job, position)
        command = jobs.command_of(here.store.jobs.get(job), step)
        history = here.store.steps.history(step.id or 0)
    record = {**asdict(step), "command": command, "history": history}
    rows = [(key, value) for key, value in record.items() if key != "history"]
    rows += [(f"  {status}", instant) for status, instant in history]
    emit(record, as_json, table(["what", "value"], rows))


@app.command("log")
def show_log(
    job: Number,
    position: Annotated[
        int | None,
        typer.Argument(help="Position of the step; by default the one that failed or ran last."),
    ] = None,
) -> None:
    """Print the log of a step as it stands ('sen4cap logs -f' follows it)."""
    from sen4cap.app import jobs, system

    with system.session() as here:
        typer.echo(jobs.log_of(here, job, position), nl=False)


def _tell(job: Job, as_json: bool, more: str = "") -> None:
    sentence = f"Job {job.id} ({job.name or job.processor}) is {job.status.value}"
    emit(_record(job), as_json, f"{sentence}: {more}." if more else f"{sentence}.")

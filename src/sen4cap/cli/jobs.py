"""`sen4cap job`: what was run, with which parameters, and what came of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from sen4cap.cli.output import AsJson, emit, table

app = typer.Typer(help="What was run, and what came of it.", no_args_is_help=True)


@app.command("list")
def list_jobs(
    site: Annotated[str | None, typer.Option(help="Only of this site.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    from sen4cap.app import system

    with system.session() as here:
        found = here.store.jobs.all(site=site, limit=limit)
    rows = [
        (item.id, item.processor, item.site, item.season, item.status.value, item.reason)
        for item in found
    ]
    columns = ["job", "processor", "site", "season", "status", "reason"]
    emit([asdict(item) for item in found], as_json, table(columns, rows))


@app.command("show")
def show_job(
    job: Annotated[int, typer.Argument(help="Number of the job.")], as_json: AsJson = False
) -> None:
    """Show a job with every parameter it used."""
    from sen4cap.app import system

    with system.session() as here:
        found = here.store.jobs.get(job)
    rows = [(key, value) for key, value in asdict(found).items() if key != "parameters"]
    rows += [(f"  {key}", value) for key, value in found.parameters.items()]
    emit(asdict(found), as_json, table(["what", "value"], rows))

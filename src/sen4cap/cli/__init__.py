"""The command line: noun then verb, `--json` everywhere, one sentence per error.

Commands translate words into calls of `sen4cap.app` and results into words; they decide nothing.

Exit codes: 0 done · 1 unexpected failure · 2 wrong usage · 3 input refused · 4 not found ·
5 conflict · 6 nothing to work on · 7 a service cannot be reached · 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sen4cap.cli import (
    acquisition,
    config,
    crops,
    database,
    demo,
    jobs,
    ledger,
    lpis,
    markers,
    mowing,
    output,
    processors,
    products,
    schedules,
    services,
    sites,
    sources,
    validate,
)
from sen4cap.cli import run as run_commands

app = typer.Typer(
    name="sen4cap",
    help="Vegetation indices, parcel time series and crop types from Sentinel images.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(sites.site, name="site")
app.add_typer(sites.season, name="season")
app.add_typer(sources.app, name="source")
sources.app.command("plan")(acquisition.plan)
sources.app.command("fetch")(acquisition.fetch)
app.add_typer(ledger.app, name="ledger")
app.add_typer(lpis.app, name="lpis")
app.add_typer(products.app, name="product")
app.add_typer(run_commands.app, name="run", cls=run_commands.ProcessorCommands)
app.add_typer(processors.app, name="processor")
app.add_typer(markers.app, name="markers")
app.add_typer(crops.app, name="crop")
app.add_typer(mowing.app, name="mowing")
app.add_typer(validate.app, name="validate")
app.add_typer(jobs.app, name="job")
app.add_typer(schedules.app, name="schedule")
app.add_typer(config.app, name="config")
app.add_typer(database.app, name="db")
app.add_typer(services.app, name="service")
app.command("up")(services.up)
app.command("logs")(services.logs)
app.command("health")(services.health)
app.command("demo")(demo.demo)
app.command("console")(demo.console)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Options of every command."""
    output.debug = debug
    if version:
        from sen4cap import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Entry point of the program."""
    sys.exit(output.guarded(app))

"""`sen4cap demo` and `sen4cap console`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sen4cap.cli.output import AsJson, emit, progress_bar


def demo(
    folder: Annotated[Path, typer.Option(help="Where to write; made anew each time.")] = Path(
        "demo"
    ),
    seed: Annotated[int, typer.Option(help="Another seed is another season.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Run the main job on a generated season and tell how good it was."""
    from sen4cap.app.demo import demonstrate, lines
    from sen4cap.app.logs import open_terminal

    open_terminal()
    with progress_bar() as progress:
        done = demonstrate(
            folder.absolute(),
            seed=seed,
            say=lambda text: print(text, file=sys.stderr),  # noqa: T201 - the command line speaks
            progress=progress,
        )
    value = {
        "report": str(done.report),
        "home": str(done.home),
        "seconds": round(done.seconds, 1),
        "accuracy": done.accuracy,
        "against_truth": {**asdict(done.scores), "accuracy": done.scores.accuracy},
    }
    emit(value, as_json, "\n".join(lines(done)))


def console(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on this machine.")] = 8080,
) -> None:
    """Serve the console on this machine: sites, products and jobs, read-only."""
    from sen4cap import web
    from sen4cap.app import system

    with system.session() as here:
        web.serve(
            here,
            port,
            lambda: typer.echo(
                f"The console is at http://127.0.0.1:{port} until you press Ctrl-C."
            ),
        )

"""`sen4cap up`, `service`, `logs` and `health`: what keeps the system running, and how it is."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sen4cap.cli.output import AsJson, emit, table

if TYPE_CHECKING:
    from datetime import datetime

    from sen4cap.settings import Settings

Serve = Callable[["Settings", threading.Event, Callable[[str], None]], None]

app = typer.Typer(
    help="Run the services apart from each other, in the background.", no_args_is_help=True
)

Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[SERVICE]...", help="scheduler, orchestrator, worker or web; all if none is given."
    ),
]
Port = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Port of the console on this machine.", show_default=False),
]


def up(port: Port = None) -> None:
    """Run all services on this machine until Ctrl-C."""
    from sen4cap import web
    from sen4cap.app import claims, group, processes, serving

    settings = _settings(port)
    names = serving.needed(settings)
    processes.refuse_running(settings, names)
    web.listening(settings.port).close()
    with claims.claim(settings, claims.ALL) as claim, processes.stopped_by_signals() as stop:
        claim.ready()
        typer.echo(f"Running {', '.join(names)} until Ctrl-C; 'sen4cap logs -f' shows more.")
        group.keep_up(settings, names, stop, _say)
    typer.echo("All services have ended.")


def _say(text: str) -> None:
    typer.echo(text, err=True)


@app.command("start")
def start(names: Names = None, port: Port = None, as_json: AsJson = False) -> None:
    """Start services in the background; those that run already are left as they are."""
    from sen4cap.app import claims, processes, serving

    settings = _settings(port)
    chosen = _chosen(names) or serving.needed(settings)
    processes.refuse_running(settings, [claims.ALL])
    absent = [name for name in chosen if claims.running(settings, name) is None]
    processes.start(settings, absent)
    _show(settings, chosen, as_json)


@app.command("stop")
def stop(names: Names = None, as_json: AsJson = False) -> None:
    """End services; running steps are ended and will be run again from their start."""
    from sen4cap.app import processes, services

    chosen = _chosen(names)
    settings, every = _settings(), list(services.SERVICES)[::-1]
    done = processes.stop(settings, chosen or every, group=not chosen)
    text = f"Ended: {', '.join(done)}." if done else "Nothing was running."
    emit({"ended": done}, as_json, text)


@app.command("restart")
def restart(names: Names = None, port: Port = None, as_json: AsJson = False) -> None:
    """End services, if they run, and start them again."""
    from sen4cap.app import processes, serving

    settings = _settings(port)
    chosen = _chosen(names) or serving.needed(settings)
    processes.restart(settings, chosen)
    _show(settings, chosen, as_json)


@app.command("status")
def status(names: Names = None, as_json: AsJson = False) -> None:
    """Show which services run; exits with 7 where one of those named does not."""
    from sen4cap.app import claims, services

    settings = _settings()
    chosen = _chosen(names)
    _show(settings, chosen or list(services.SERVICES), as_json)
    if any(claims.running(settings, name) is None for name in chosen):
        raise typer.Exit(7)


@app.command("run")
def run(
    name: Annotated[str, typer.Argument(help="scheduler, orchestrator, worker or web.")],
    to_stderr: Annotated[
        bool, typer.Option("--stderr", help="Write the log to standard error as well.")
    ] = False,
    together: Annotated[bool, typer.Option("--together", hidden=True)] = False,
) -> None:
    """Run one service in the foreground: for systemd, containers and the commands above."""
    from sen4cap.app import claims, group, logs, processes

    settings = _settings()
    [chosen] = _chosen([name])
    with claims.claim(settings, chosen, together=together) as claim:
        logs.open_log(settings, chosen, to_stderr=to_stderr)
        with processes.stopped_by_signals(with_parent=together) as stop, _told():
            group.keep_serving(
                lambda stop, ready: _serving(chosen)(settings, stop, ready), stop, claim.ready
            )


@contextmanager
def _told() -> Iterator[None]:
    """Log begin and end of a service, and what ended it."""
    import structlog

    log = structlog.get_logger("sen4cap.services")
    log.info("started")
    try:
        yield
    except Exception as error:
        log.exception("failed", reason=str(error))
        raise
    log.info("ended")


def _serving(name: str) -> Serve:
    from sen4cap.app import serving
    from sen4cap.domain.service import WEB

    return {**serving.SERVING, WEB: _serve_web}[name]


def _serve_web(settings: Settings, stop: threading.Event, ready: Callable[[str], None]) -> None:
    from sen4cap import web
    from sen4cap.app import serving, system
    from sen4cap.domain.service import WEB

    with system.session(settings) as here, serving.beating(here, WEB):
        web.serve_until(here, settings.port, stop, ready)


def logs(
    what: Annotated[
        str | None,
        typer.Argument(help="Service, number of a job, or job.step as in 12.0; all services."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is added, until Ctrl-C.")
    ] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Last lines of each.")] = 50,
    as_json: Annotated[
        bool, typer.Option("--json", help="Lines as they stand in the file.")
    ] = False,
) -> None:
    """Show the log of a service, a job or a step."""
    from sen4cap.app import tail

    paths = _log_paths(what)
    with suppress(KeyboardInterrupt):
        for line in tail.lines(paths, lines, going_on=follow):
            typer.echo(line if as_json else tail.readable(line))


def _log_paths(what: str | None) -> list[Any]:
    from sen4cap.app import services, serving, system

    settings = _settings()
    if what is None or re.fullmatch(r"\d+(\.\d+)?", what) is None:
        return services.log_files(settings, _chosen([what] if what else None))
    with system.session(settings) as here:
        return serving.step_logs(here, what)


def health(as_json: AsJson = False) -> None:
    """Tell whether database, disks, services and cluster are well; exits with 7 if not."""
    from sen4cap.app import health as examined

    found = examined.health(_settings())
    rows = [(check.name, check.state.value, check.detail) for check in found.checks]
    emit(found.as_json(), as_json, table(["what", "state", "detail"], rows))
    if found.state is examined.State.FAILED:
        raise typer.Exit(7)


def _settings(port: int | None = None) -> Settings:
    from sen4cap.settings import Settings

    return Settings() if port is None else Settings(port=port)


def _chosen(names: list[str] | None) -> list[str]:
    """Services that are named; for names of the original it is told what does that work now."""
    from sen4cap.app import services

    chosen, sentences = services.resolve(names or [])
    for sentence in sentences:
        _say(sentence)
    if names and not chosen:
        raise typer.Exit
    return chosen


def _show(settings: Settings, names: list[str], as_json: bool) -> None:
    from sen4cap.app import services

    found = services.overview(settings, names)
    rows = [
        (seen.service, seen.state, seen.process, _moment(seen.since), seen.address, seen.does)
        for seen in found
    ]
    columns = ["service", "state", "process", "since (UTC)", "address", "does"]
    emit([asdict(seen) for seen in found], as_json, table(columns, rows))


def _moment(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant:%Y-%m-%d %H:%M:%S}"

"""`sen4cap schedule`: what runs by itself, when, and what it waits for."""

from __future__ import annotations

import getpass
from dataclasses import asdict
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sen4cap.cli.output import AsJson, emit, table

if TYPE_CHECKING:
    from sen4cap.domain.schedule import Schedule

app = typer.Typer(help="What runs by itself, and what it waits for.", no_args_is_help=True)


class Inputs(StrEnum):
    """Sensors of a processor that lets choose them."""

    BOTH = "S1_S2"
    S1 = "S1"
    S2 = "S2"


Name = Annotated[str, typer.Argument(help="Name of the schedule: 'sen4cap schedule list'.")]
Every = Annotated[int | None, typer.Option(min=1, help="Cycle: every so many days.")]
Day = Annotated[
    int | None,
    typer.Option(min=1, max=31, help="Repeat: on this day of each month; 31 is the month's end."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Parameter of its jobs, key=value; repeatable."),
]
Choice = Annotated[
    Inputs | None, typer.Option(help="Sensors, where the processor lets choose them.")
]
Priority = Annotated[int | None, typer.Option(help="Of its jobs; lower goes first.")]
Retry = Annotated[
    int | None, typer.Option(min=1, help="Seconds until a run that waits is tried again.")
]
DATE = ["%Y-%m-%d"]


@app.command("add")
def add_schedule(
    name: Annotated[str, typer.Argument(help="Name of the schedule.")],
    processor: Annotated[str, typer.Argument(help="Short name: 'sen4cap processor list'.")],
    site: Annotated[str, typer.Argument(help="Short name of the site.")],
    season: Annotated[str, typer.Argument(help="Name of the season.")],
    first: Annotated[
        datetime,
        typer.Option(
            formats=DATE, help="First nominal date: the last day of the first run's input period."
        ),
    ],
    every: Every = None,
    day: Day = None,
    inputs: Choice = None,
    parameters: Set = None,
    priority: Priority = None,
    retry: Retry = None,
    as_json: AsJson = False,
) -> None:
    """Add a schedule: once, in a cycle (--every) or on a day of each month (--day).

    A first date in the past is caught up with, one date after the other.
    """
    from sen4cap.app import schedules, system
    from sen4cap.domain.schedule import Schedule

    given = {**_given(priority, retry), **_parameters(parameters, inputs)}
    repeat = schedules.repeat_of(every, day)
    with system.session() as here:
        wanted = Schedule(name, processor, site, season, repeat, first.date(), every, day, **given)
        made = schedules.add(here, wanted)
    emit(asdict(made), as_json, f"Added schedule '{name}': {made.rhythm} from {made.first}.")


def _given(priority: int | None, retry: int | None) -> dict[str, Any]:
    values = {"priority": priority, "retry_seconds": retry}
    return {key: value for key, value in values.items() if value is not None}


def _parameters(pairs: list[str] | None, inputs: Inputs | None) -> dict[str, Any]:
    """The parameters that were given; an empty dictionary where none were."""
    found = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"'{pair}' is no key=value.")
        found[key] = value
    if inputs is not None:
        found["inputs"] = inputs.value
    return {"parameters": found} if found else {}


@app.command("list")
def list_schedules(
    site: Annotated[str | None, typer.Option(help="Only of this site.")] = None,
    season: Annotated[str | None, typer.Option(help="Only of this season.")] = None,
    as_json: AsJson = False,
) -> None:
    """List schedules, their next date, and what it waits for."""
    from sen4cap.app import schedules, system

    with system.session() as here:
        found = here.store.schedules.all(site, season)
        told = [(item, schedules.condition(here, item)) for item in found]
    rows = [
        (
            item.name,
            item.processor,
            item.rhythm,
            item.state.next if condition != "ended" else None,
            condition,
            item.state.reason,
        )
        for item, condition in told
    ]
    values = [{**asdict(item), "condition": condition} for item, condition in told]
    columns = ["schedule", "processor", "rhythm", "next", "state", "reason"]
    emit(values, as_json, table(columns, rows))


@app.command("show")
def show_schedule(
    name: Name,
    count: Annotated[int, typer.Option(min=1, help="How many of the next dates.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Show a schedule: its next dates, its last job, and what it waits for, asked anew."""
    from sen4cap.app import schedules, system

    with system.session() as here:
        found = schedules.check(here, name)
        condition = schedules.condition(here, found)
        dates = schedules.next_dates(here, found, count)
    state = found.state
    rows = [
        ("processor", found.processor),
        ("site, season", f"{found.site}, {found.season}"),
        ("rhythm", f"{found.rhythm} from {found.first}"),
        ("state", condition),
        ("reason", state.reason),
        ("next dates", ", ".join(str(day) for day in dates) or "none"),
        ("last date", state.last),
        ("last job", state.job),
        ("priority", found.priority),
        ("retry", f"after {found.retry_seconds} s"),
        *((f"  {key}", value) for key, value in found.parameters.items()),
    ]
    value = {**asdict(found), "condition": condition, "dates": dates}
    emit(value, as_json, table(["what", "value"], rows))


@app.command("edit")
def edit_schedule(
    name: Name,
    first: Annotated[
        datetime | None,
        typer.Option(formats=DATE, help="Start anew from this date, whatever was done before."),
    ] = None,
    every: Every = None,
    day: Day = None,
    once: Annotated[bool, typer.Option("--once", help="Run once.")] = False,
    inputs: Choice = None,
    parameters: Set = None,
    unset: Annotated[
        list[str] | None, typer.Option(help="Parameter to take away; repeatable.")
    ] = None,
    priority: Priority = None,
    retry: Retry = None,
    as_json: AsJson = False,
) -> None:
    """Change a schedule; what is not named stays, and it goes on after its last date."""
    from sen4cap.app import schedules, system

    changes = {**_given(priority, retry), **_parameters(parameters, inputs)}
    if once or every or day:
        changes |= {"repeat": schedules.repeat_of(every, day), "every": every, "day": day}
    with system.session() as here:
        start = first.date() if first else None
        made = schedules.edit(here, name, first=start, unset=unset or (), **changes)
    emit(asdict(made), as_json, f"Schedule '{name}': {made.rhythm}, next {_next(made)}.")


def _next(schedule: Schedule) -> date | str:
    return schedule.state.next or "never"


@app.command("enable")
def enable_schedule(name: Name, as_json: AsJson = False) -> None:
    """Let a schedule run again; it catches up with the dates that it missed."""
    _switch(name, True, as_json)


@app.command("disable")
def disable_schedule(name: Name, as_json: AsJson = False) -> None:
    """Stop a schedule; jobs that it has submitted go on."""
    _switch(name, False, as_json)


def _switch(name: str, enabled: bool, as_json: bool) -> None:
    from sen4cap.app import schedules, system

    with system.session() as here:
        made = schedules.set_enabled(here, name, enabled)
    text = f"Schedule '{name}' is {'enabled' if enabled else 'disabled'}."
    emit(asdict(made), as_json, text)


@app.command("delete")
def delete_schedule(name: Name, as_json: AsJson = False) -> None:
    """Delete a schedule; its jobs and products stay."""
    from sen4cap.app import system

    with system.session() as here:
        here.store.schedules.delete(name)
    emit({"deleted": name}, as_json, f"Deleted schedule '{name}'.")


@app.command("run-now")
def run_now(name: Name, as_json: AsJson = False) -> None:
    """Submit the job of a schedule at once, whether or not its inputs are complete.

    A date that is due counts as done; where none is due, it is one job more, up to today.
    """
    from sen4cap.app import schedules, system

    with system.session() as here:
        made = schedules.run_now(here, name, getpass.getuser())
    emit(asdict(made), as_json, f"Job {made.id} of schedule '{name}' up to {made.nominal}.")


@app.command("defaults")
def add_defaults(
    site: Annotated[str, typer.Argument(help="Short name of the site.")],
    season: Annotated[str, typer.Argument(help="Name of the season.")],
    as_json: AsJson = False,
) -> None:
    """Add the default schedules that a season lacks."""
    from sen4cap.app import schedules, system

    with system.session() as here:
        made = schedules.add_defaults(here, here.store.seasons.get(site, season))
    rows = [(item.name, item.rhythm, item.first) for item in made]
    emit([asdict(item) for item in made], as_json, table(["added", "rhythm", "from"], rows))

"""Schedules: make, change and look at what runs by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

from sen4cap.app import jobs, planning
from sen4cap.app.desk import SystemDesk
from sen4cap.app.system import System
from sen4cap.domain import Job, Season, short_name
from sen4cap.domain.schedule import LAST_DAY, Repeat, Schedule, ScheduleState
from sen4cap.engine.calendar import after, from_date, is_over, opens, year_later
from sen4cap.engine.scheduler import Scheduler, Verdict, put_off, submitted
from sen4cap.errors import Conflict, InvalidParameter
from sen4cap.processing import as_text, parameters_of, processor, processors

INPUTS = "inputs"
"""Key of the parameter by which a processor lets choose its sensors: S1_S2, S1 or S2."""


@dataclass(frozen=True)
class Rhythm:
    """A default schedule of a processor, made with each season."""

    suffix: str
    """Last part of its name, as the original's."""
    repeat: Repeat
    every: int | None = None
    day: int | None = None
    offset: int = 0
    """Days from the start of the season to the first nominal date."""
    from_mid: bool = False
    """Whether it begins in the middle of the season instead."""


RHYTHMS: Mapping[str, Rhythm] = {
    "l3b": Rhythm("L3B", Repeat.CYCLE, every=1, offset=1),
    "s4c_mdb1": Rhythm("S4C_MDB1", Repeat.CYCLE, every=1, offset=1),
    "s4c_l4a": Rhythm("S4C_L4A", Repeat.REPEAT, day=LAST_DAY, from_mid=True),
    "s4c_l4b": Rhythm("S4C_L4B", Repeat.CYCLE, every=14, offset=30),
    "s4c_l4c": Rhythm("S4C_L4C", Repeat.CYCLE, every=7, offset=7),
}
"""By short name of the processor; those that are not installed get none."""


def scheduler(system: System) -> Scheduler:
    """The scheduler of an installation."""
    return Scheduler(system.store.schedules, SystemDesk(system), lambda: datetime.now(UTC))


def add(system: System, schedule: Schedule) -> Schedule:
    """Add a schedule; its first date may lie in the past and is caught up with.

    Raises
    ------
    NotFound
        If there is no such processor, site or season.
    Conflict
        If its name is taken.
    InvalidParameter
        If the first date lies outside the season, or a parameter is unknown or out of bounds.
    """
    checked = _checked(system, schedule)
    started = replace(checked, state=ScheduleState(schedule.first))
    return system.store.schedules.add([started])[0]


def _checked(system: System, schedule: Schedule) -> Schedule:
    """The schedule with its parameters under their keys, as text."""
    season = system.store.seasons.get(schedule.site, schedule.season)
    if not season.start <= schedule.first <= season.end:
        raise InvalidParameter(
            f"The first date of schedule '{schedule.name}', {schedule.first}, lies outside season "
            f"'{season.name}', {season.start} to {season.end}: choose one within."
        )
    chosen = processor(schedule.processor)
    names = {item.name: item.key for item in parameters_of(chosen.params)}
    given = {names.get(key, key): value for key, value in schedule.parameters.items()}
    if INPUTS in given and INPUTS not in names.values():
        raise InvalidParameter(f"'{chosen.id}' has no choice of inputs: leave it out.")
    used = planning.parameters(system, chosen, schedule.site, given)
    values = {item.key: as_text(getattr(used, item.name)) for item in parameters_of(chosen.params)}
    kept = {key: values[key] for key in sorted(given)}
    return replace(schedule, processor=chosen.id, parameters=kept)


def edit(
    system: System,
    name: str,
    *,
    first: date | None = None,
    parameters: Mapping[str, Any] | None = None,
    unset: Collection[str] = (),
    **changes: Any,
) -> Schedule:
    """Change a schedule; `changes` are fields of `Schedule`.

    With a new `first` date it starts anew from there: dates that it dealt with come again. Without,
    it goes on after the last date that it dealt with. `parameters` are added to those that it has,
    after those named by `unset` were taken away.

    Raises
    ------
    NotFound
        If there is no such schedule.
    InvalidParameter
        If a value cannot be used; the schedule stays as it was.
    Conflict
        If it was changed by another one meanwhile.
    """
    before = system.store.schedules.get(name)
    kept = {key: value for key, value in before.parameters.items() if key not in unset}
    wanted = replace(before, **_whole_rhythm(changes), parameters={**kept, **(parameters or {})})
    checked = _checked(system, replace(wanted, first=first or wanted.first))
    state = replace(checked.state, tried=None, reason="")
    if first is not None:
        state = ScheduleState(first, job=state.job, version=state.version)
        checked = replace(checked, generation=before.generation + 1)
    elif "repeat" in changes:
        state = replace(state, next=after(checked, state.last))
    return system.store.schedules.replace(replace(checked, state=state))


def repeat_of(every: int | None, day: int | None) -> Repeat:
    """The kind of rhythm that is meant by a number of days, a day of the month, or neither."""
    if every is not None:
        return Repeat.CYCLE
    return Repeat.ONCE if day is None else Repeat.REPEAT


def _whole_rhythm(changes: Mapping[str, Any]) -> dict[str, Any]:
    """A new rhythm takes the former one's numbers away."""
    return {"every": None, "day": None, **changes} if "repeat" in changes else dict(changes)


def set_enabled(system: System, name: str, enabled: bool) -> Schedule:
    """Let a schedule run, or stop it; one that runs again catches up with what it missed.

    Raises
    ------
    NotFound
        If there is no such schedule.
    """
    before = system.store.schedules.get(name)
    state = replace(before.state, tried=None, reason="")
    return system.store.schedules.replace(replace(before, enabled=enabled, state=state))


def run_now(system: System, name: str, who: str = "") -> Job:
    """Submit the job of a schedule at once, whether or not its inputs are complete.

    A date that is due gets its job and is dealt with. Where none is due, the job is one more, up
    to today, and the schedule stays as it is.

    Raises
    ------
    NotFound
        If there is no such schedule.
    Conflict
        If the due date got its job meanwhile.
    NoInput
        If there is nothing to work on at all.
    """
    schedule = system.store.schedules.get(name)
    last_day, zone = SystemDesk(system).days(schedule)
    now = datetime.now(UTC)
    nominal = schedule.state.next
    if nominal is not None and not is_over(schedule, last_day) and opens(nominal, zone) <= now:
        return _run_due(system, schedule, nominal, now)
    today = min(now.astimezone(zone).date(), last_day)
    return jobs.submit(
        system,
        schedule.processor,
        schedule.site,
        schedule.season,
        schedule.parameters,
        name=schedule.name,
        who=who,
        priority=schedule.priority,
        nominal=today,
    )


def _run_due(system: System, schedule: Schedule, nominal: date, now: datetime) -> Job:
    found = system.store.schedules.job_of(schedule, nominal)
    number = found or SystemDesk(system).submit(schedule, nominal)
    if not system.store.schedules.record(schedule, submitted(schedule, number, now)):
        raise Conflict(
            f"Schedule '{schedule.name}' was changed meanwhile; job {number} of {nominal} stands."
        )
    return system.store.jobs.get(number)


def check(system: System, name: str) -> Schedule:
    """The schedule with what its next date waits for now, asked anew; nothing is recorded."""
    schedule = system.store.schedules.get(name)
    desk = SystemDesk(system)
    nominal = schedule.state.next
    if nominal is None or is_over(schedule, desk.days(schedule)[0]) or not schedule.enabled:
        return schedule
    answer = desk.answer(schedule, nominal)
    if answer.verdict is not Verdict.WAIT:
        return replace(schedule, state=replace(schedule.state, tried=None, reason=answer.reason))
    return replace(schedule, state=put_off(schedule.state, answer.reason, datetime.now(UTC)))


def next_dates(system: System, schedule: Schedule, count: int = 5) -> list[date]:
    """The next nominal dates; fewer where the season ends, none where the schedule is disabled."""
    if not schedule.enabled:
        return []
    last_day, _ = SystemDesk(system).days(schedule)
    return list(islice(from_date(schedule, schedule.state.next, last_day), count))


def condition(system: System, schedule: Schedule, now: datetime | None = None) -> str:
    """How it stands with a schedule: `disabled`, `ended`, `waiting`, `due` or `planned`."""
    last_day, zone = SystemDesk(system).days(schedule)
    nominal = schedule.state.next
    if not schedule.enabled:
        return "disabled"
    if nominal is None or is_over(schedule, last_day):
        return "ended"
    if schedule.state.is_waiting:
        return "waiting"
    return "due" if opens(nominal, zone) <= (now or datetime.now(UTC)) else "planned"


def add_defaults(system: System, season: Season) -> list[Schedule]:
    """Add the default schedules of a season, of the processors that are installed.

    Those whose name is there already, and those that would begin after the season, are left out.
    """
    there = {item.name for item in system.store.schedules.all(season.site)}
    made = [item for item in defaults(season) if item.name not in there]
    return system.store.schedules.add(made)


def defaults(season: Season) -> list[Schedule]:
    """The default schedules of a season: `<site>_<season>_<suffix>`, as the original names them."""
    found = []
    for identifier, rhythm in RHYTHMS.items():
        first = _first(season, rhythm)
        if identifier in processors() and first <= season.end:
            name = f"{season.site}_{short_name(season.name)}_{rhythm.suffix}"
            found.append(
                Schedule(
                    name,
                    identifier,
                    season.site,
                    season.name,
                    rhythm.repeat,
                    first,
                    rhythm.every,
                    rhythm.day,
                    state=ScheduleState(first),
                )
            )
    return found


def copies(system: System, old: Season, new: Season) -> list[Schedule]:
    """The schedules of a season for the one a year later, all dates at their beginning.

    The season in a schedule's name becomes the new one, or is put behind it.

    Raises
    ------
    Conflict
        If a name is taken.
    """
    taken = {item.name for item in system.store.schedules.all()}
    made = [_copy(item, old, new) for item in system.store.schedules.all(old.site, old.name)]
    for item in made:
        if item.name in taken:
            raise Conflict(f"Schedule '{item.name}' exists already: choose another season name.")
    return made


def _copy(schedule: Schedule, old: Season, new: Season) -> Schedule:
    parts = f"_{schedule.name}_".replace(f"_{short_name(old.name)}_", f"_{short_name(new.name)}_")
    name = parts[1:-1]
    if name == schedule.name:
        name = f"{schedule.name}_{short_name(new.name)}"
    first = year_later(schedule.first)
    return replace(
        schedule,
        name=name,
        season=new.name,
        first=first,
        id=None,
        generation=1,
        state=ScheduleState(first),
    )


def _first(season: Season, rhythm: Rhythm) -> date:
    if rhythm.from_mid:
        return season.mid or season.start + (season.end - season.start) // 2
    return season.start + timedelta(days=rhythm.offset)

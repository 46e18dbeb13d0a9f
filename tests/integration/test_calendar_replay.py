"""A season under the pilots' calendar of 2019, replayed with everything going wrong.

The scheduler is killed and started anew at random moments; its clock jumps, goes back and fails;
the disk fails under a submission, the database before or after it has committed. Every nominal
date must still get its job exactly once and in order. Expected dates are those of pandas and, for
the pilots' season, counted on a paper calendar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from sen4cap.domain import Job, Season, Site, StartType
from sen4cap.domain.schedule import Repeat, Schedule, ScheduleState
from sen4cap.engine.calendar import opens
from sen4cap.engine.scheduler import Answer, Scheduler, Verdict
from sen4cap.errors import Conflict, ServiceUnavailable
from sen4cap.store import SqlStore, open_store
from sen4cap.testing.memory import MemorySeasons, MemorySites
from sen4cap.testing.memory_schedules import MemorySchedules

SEASONS = (
    ("2019-05-05", "2019-10-31", "2019-05-31"),  # the pilots: 180 days with the end of summer time
    ("2019-10-01", "2020-03-28", "2019-10-31"),  # 180 days with New Year and 29 February
    ("2020-02-03", "2020-07-31", "2020-02-29"),  # 180 days with the start of summer time
    ("2018-10-15", "2019-04-12", "2018-10-31"),  # 180 days with both ends of summer time
)
"""First and last day, first month end of the crop map."""
ZONES = ("Europe/Amsterdam", "Europe/Lisbon", "UTC", "Pacific/Auckland", "America/Sao_Paulo")
"""In São Paulo summer time began at midnight: a day without a midnight."""
FAILURES = 0.04
"""Share of the calls that go wrong."""


class Killed(BaseException):
    """The process is gone."""


def calendar(season: Season, first_map: date) -> tuple[list[Schedule], dict[str, list[date]]]:
    """Schedules of the pilots for a season, and their dates by pandas."""
    made: list[Schedule] = []
    expected = {}

    def plan(name: str, repeat: Repeat, first: date, rule: str, **more: Any) -> None:
        state = ScheduleState(first)
        made.append(
            Schedule(name, "l3b", season.site, season.name, repeat, first, state=state, **more)
        )
        expected[name] = [day.date() for day in pd.date_range(first, season.end, freq=rule)]

    plan("daily", Repeat.CYCLE, season.start + timedelta(days=1), "D", every=1)
    plan("mowing", Repeat.CYCLE, season.start, "14D", every=14)
    plan("practices", Repeat.CYCLE, season.start, "7D", every=7)
    plan("map", Repeat.REPEAT, first_map, "ME", day=31)
    return made, expected


def test_the_pilots_season_has_these_dates() -> None:
    season = Season("flevo", "2019", date(2019, 5, 5), date(2019, 10, 31))
    assert (season.end - season.start).days + 1 == 180
    _, expected = calendar(season, date(2019, 5, 31))
    counts = {name: len(days) for name, days in expected.items()}
    assert counts == {"daily": 179, "mowing": 13, "practices": 26, "map": 6}
    assert expected["mowing"][-1] == date(2019, 10, 20)
    assert expected["practices"][-1] == date(2019, 10, 27)


@dataclass
class World:
    """Clock, jobs and inputs, all of which may fail. It outlives every scheduler."""

    random: Random
    schedules: Any
    season: Season
    zone: ZoneInfo
    submit_job: Callable[[Schedule, date], int]
    find_job: Callable[[Schedule, date], int | None]
    now: datetime
    told: datetime = datetime(1, 1, 1, tzinfo=UTC)
    """Latest instant that the clock has told."""
    failures: float = FAILURES
    fired: list[tuple[str, date]] = field(default_factory=list)
    mishaps: int = 0

    def _fails(self) -> bool:
        return self.random.random() < self.failures

    def _mishap(self, *errors: BaseException) -> NoReturn:
        self.mishaps += 1
        raise self.random.choice(errors)

    def clock(self) -> datetime:
        if self._fails():
            self._mishap(OSError("no clock"), Killed())
        skew = self.random.choice((-40, -1, 1)) if self._fails() else 0
        read = self.now + timedelta(days=skew)
        self.told = max(self.told, read)
        return read

    # what the scheduler keeps

    def all(self, site: str | None = None, season: str | None = None) -> list[Schedule]:
        if self._fails():
            self._mishap(ServiceUnavailable(), Killed())
        found: list[Schedule] = self.schedules.all(site, season)
        return found

    def record(self, before: Schedule, state: ScheduleState) -> bool:
        if self._fails():
            self._mishap(ServiceUnavailable(), Killed())
        kept: bool = self.schedules.record(before, state)
        if self._fails():
            self._mishap(ServiceUnavailable(), Killed())
        return kept

    def job_of(self, schedule: Schedule, nominal: date) -> int | None:
        return self.find_job(schedule, nominal)

    # whom the scheduler asks

    def days(self, _schedule: Schedule) -> tuple[date, ZoneInfo]:
        return self.season.end, self.zone

    def is_open(self, _job: int) -> bool:
        return self.random.random() < 5 * self.failures

    def answer(self, _schedule: Schedule, _nominal: date) -> Answer:
        if self._fails():
            self._mishap(ServiceUnavailable(), OSError("disk full"), ValueError("odd"), Killed())
        waits = self.random.random() < 5 * self.failures
        return Answer(Verdict.WAIT, "Waiting for images.") if waits else Answer(Verdict.READY)

    def submit(self, schedule: Schedule, nominal: date) -> int:
        if self._fails():
            self._mishap(OSError("disk full"), ServiceUnavailable(), Killed())
        assert self.told >= opens(nominal, self.zone)
        number = self.submit_job(schedule, nominal)
        self.fired.append((schedule.name, nominal))
        if self._fails():
            self._mishap(ServiceUnavailable(), OSError("disk full"), Killed())
        return number

    def live(self) -> None:
        """The season and a month, in steps of minutes to weeks; then a while without mishaps."""
        end = opens(self.season.end, self.zone) + timedelta(days=30)
        while self.now < end:
            days = 21.0 if self.random.random() < 0.01 else self.random.expovariate(1.6)
            self.now += timedelta(days=days)
            self._pass()
        self.failures = 0.0
        self.now += timedelta(minutes=2)
        while self._pass():
            self.now += timedelta(minutes=2)

    def _pass(self) -> int:
        """One pass of a scheduler that was just started: it remembers nothing."""
        try:
            return len(Scheduler(self, self, self.clock).tick())
        except (Killed, OSError, ServiceUnavailable):
            return 0


def check(world: World, expected: dict[str, list[date]]) -> None:
    assert world.mishaps > 10
    for name, days in expected.items():
        assert [day for who, day in world.fired if who == name] == days
    assert len(world.fired) == sum(len(days) for days in expected.values())


def scene(seed: int) -> tuple[Random, Site, Season, date]:
    random = Random(seed)
    first, last, first_map = SEASONS[seed % len(SEASONS)]
    site = Site("Flevoland", "flevo", random.choice(ZONES))
    season = Season("flevo", "s", date.fromisoformat(first), date.fromisoformat(last))
    return random, site, season, date.fromisoformat(first_map)


class Registry:
    """Jobs by who asked and for which date, once each as the database has it."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, date], int] = {}

    def submit(self, schedule: Schedule, nominal: date) -> int:
        if (schedule.who, nominal) in self.numbers:
            raise Conflict("twice")
        return self.numbers.setdefault((schedule.who, nominal), len(self.numbers) + 1)

    def find(self, schedule: Schedule, nominal: date) -> int | None:
        return self.numbers.get((schedule.who, nominal))


def replay_in_memory(seed: int) -> None:
    random, site, season, first_map = scene(seed)
    sites = MemorySites({"flevo": site})
    registry: Any = Registry()
    seasons = MemorySeasons(sites, {("flevo", "s"): season})
    schedules = MemorySchedules(sites, seasons, registry)
    made, expected = calendar(season, first_map)
    schedules.add(made)
    start = opens(season.start, site.zone) - timedelta(days=random.randrange(-90, 10))
    world = World(random, schedules, season, site.zone, registry.submit, registry.find, start)
    world.live()
    check(world, expected)


@pytest.mark.parametrize("block", range(10))
def test_each_date_has_its_job_once_whatever_goes_wrong(block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        replay_in_memory(seed)


@pytest.mark.soak
@pytest.mark.parametrize("block", range(90))
def test_each_date_has_its_job_once_in_ten_thousand_seasons(block: int) -> None:
    for seed in range(1000 + 100 * block, 1100 + 100 * block):
        replay_in_memory(seed)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'replay.sqlite'}"
    else:
        yield request.getfixturevalue("postgresql_url")


@pytest.mark.parametrize("seed", range(4))
def test_each_date_has_its_job_once_in_a_database(database: str, seed: int) -> None:
    """As above, with the rows and the uniqueness of a real store."""
    random, site, season, first_map = scene(seed)
    store = open_store(database)
    store.upgrade()
    store.sites.add(site)
    store.seasons.add(season)
    made, expected = calendar(season, first_map)
    store.schedules.add(made)

    def submit(schedule: Schedule, nominal: date) -> int:
        job = Job("l3b", "flevo", "s", who=schedule.who, why=StartType.SCHEDULED, nominal=nominal)
        return store.jobs.add(job).id or 0

    start = opens(season.start, site.zone)
    world = World(random, store.schedules, season, site.zone, submit, store.schedules.job_of, start)
    world.live()
    check(world, expected)
    jobs = store.jobs.all("flevo", limit=1000)
    assert len(jobs) == len({(job.who, job.nominal) for job in jobs}) == len(world.fired)
    store.close()


def test_two_schedulers_at_once_ask_once(database: str) -> None:
    """Both see the same dates as due; whoever comes second finds the job or is refused."""
    _, site, season, first_map = scene(0)
    store = open_store(database)
    store.upgrade()
    store.sites.add(site)
    store.seasons.add(season)
    made, expected = calendar(season, first_map)
    store.schedules.add(made[1:])

    def submit(schedule: Schedule, nominal: date) -> int:
        job = Job("l3b", "flevo", "s", who=schedule.who, why=StartType.SCHEDULED, nominal=nominal)
        return store.jobs.add(job).id or 0

    def work(seed: int) -> None:
        clock = datetime(2019, 12, 1, tzinfo=UTC)
        find = store.schedules.job_of
        world = World(Random(seed), store.schedules, season, site.zone, submit, find, clock)
        world.failures = 0.0
        for _ in range(40):
            world.now += timedelta(minutes=2)
            Scheduler(world, world, world.clock).tick()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    asked = [(job.who, job.nominal) for job in store.jobs.all("flevo", limit=1000)]
    names = {item.who: item.name for item in store.schedules.all()}
    found = sorted((names[who], nominal) for who, nominal in asked if nominal is not None)
    del expected["daily"]
    assert found == sorted((name, day) for name, days in expected.items() for day in days)
    store.close()


def test_a_second_job_for_a_date_is_refused_by_the_database(database: str) -> None:
    store: SqlStore = open_store(database)
    store.upgrade()
    store.sites.add(Site("A", "a"))
    day = date(2019, 5, 1)
    job = Job("l3b", "a", "s", who="schedule 1.1", why=StartType.SCHEDULED, nominal=day)
    store.jobs.add(job)
    with pytest.raises(Conflict, match="another one came first"):
        store.jobs.add(job)
    assert len(store.jobs.all("a")) == 1
    store.close()

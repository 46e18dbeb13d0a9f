"""Nominal dates. Expected calendars are made by hand, from paper calendars of the years named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sen4cap.domain.schedule import Repeat, Schedule, ScheduleState
from sen4cap.engine.calendar import after, following, from_date, is_due, is_over, opens
from sen4cap.errors import InvalidParameter

SEASON_END = date(2020, 12, 31)


def schedule(repeat: Repeat, first: str, **more: Any) -> Schedule:
    start = date.fromisoformat(first)
    state = ScheduleState(start)
    return Schedule("s", "l3b", "flevo", "2020", repeat, start, state=state, **more)


def dates(item: Schedule, count: int = 99, end: date = SEASON_END) -> list[str]:
    return [str(day) for day in islice(from_date(item, item.state.next, end), count)]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (schedule(Repeat.ONCE, "2020-05-01"), ["2020-05-01"]),
        (schedule(Repeat.CYCLE, "2020-02-27", every=1), ["2020-02-27", "2020-02-28", "2020-02-29"]),
        (schedule(Repeat.CYCLE, "2020-02-20", every=7), ["2020-02-20", "2020-02-27", "2020-03-05"]),
        (
            schedule(Repeat.CYCLE, "2019-12-25", every=14),
            ["2019-12-25", "2020-01-08", "2020-01-22"],
        ),
        (
            schedule(Repeat.REPEAT, "2019-12-31", day=31),
            ["2019-12-31", "2020-01-31", "2020-02-29", "2020-03-31", "2020-04-30", "2020-05-31"],
        ),
        (
            schedule(Repeat.REPEAT, "2019-01-15", day=30),  # the first run is not moved to the 30th
            ["2019-01-15", "2019-02-28", "2019-03-30", "2019-04-30", "2019-05-30"],
        ),
        (
            schedule(Repeat.REPEAT, "2020-01-29", day=29),
            ["2020-01-29", "2020-02-29", "2020-03-29", "2020-04-29"],
        ),
        (
            schedule(Repeat.REPEAT, "2020-10-31", day=1),
            ["2020-10-31", "2020-11-01", "2020-12-01"],
        ),
    ],
)
def test_nominal_dates_follow_the_calendar(item: Schedule, expected: list[str]) -> None:
    assert dates(item, len(expected)) == expected


def test_the_pilots_crop_map_has_six_month_ends() -> None:
    item = schedule(Repeat.REPEAT, "2019-05-31", day=31)
    assert dates(item, end=date(2019, 10, 31)) == [
        "2019-05-31",
        "2019-06-30",
        "2019-07-31",
        "2019-08-31",
        "2019-09-30",
        "2019-10-31",
    ]
    assert dates(item, end=date(2019, 10, 30))[-1] == "2019-09-30"


def test_after_a_day_comes_the_next_date_of_the_same_calendar() -> None:
    item = schedule(Repeat.CYCLE, "2020-04-01", every=14)
    assert after(item, None) == date(2020, 4, 1)
    assert after(item, date(2020, 4, 1)) == date(2020, 4, 15)
    assert after(item, date(2020, 4, 14)) == date(2020, 4, 15)
    assert after(schedule(Repeat.ONCE, "2020-04-01"), date(2020, 4, 1)) is None
    assert following(schedule(Repeat.ONCE, "2020-04-01"), date(2020, 4, 1)) is None


@pytest.mark.parametrize(
    ("day", "zone", "instant"),
    [
        ("2019-03-31", "Europe/Amsterdam", "2019-03-30T23:00"),  # the day loses an hour later on
        ("2019-04-01", "Europe/Amsterdam", "2019-03-31T22:00"),
        ("2019-10-27", "Europe/Amsterdam", "2019-10-26T22:00"),
        ("2019-10-28", "Europe/Amsterdam", "2019-10-27T23:00"),
        ("2019-07-01", "Pacific/Auckland", "2019-06-30T12:00"),
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00"),  # the day begins at 01:00
        ("2020-02-29", "UTC", "2020-02-29T00:00"),
    ],
)
def test_a_day_opens_when_it_begins_in_the_zone(day: str, zone: str, instant: str) -> None:
    expected = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert opens(date.fromisoformat(day), ZoneInfo(zone)) == expected


def test_it_is_due_from_midnight_of_the_zone_and_again_after_its_pause() -> None:
    item = schedule(Repeat.CYCLE, "2020-07-01", every=1)
    zone, midnight = ZoneInfo("Europe/Amsterdam"), datetime(2020, 6, 30, 22, tzinfo=UTC)
    second = timedelta(seconds=1)
    assert not is_due(item, SEASON_END, zone, midnight - second)
    assert is_due(item, SEASON_END, zone, midnight)
    tried = replace(item, state=replace(item.state, tried=midnight))
    assert not is_due(tried, SEASON_END, zone, midnight + 59 * second)
    assert is_due(tried, SEASON_END, zone, midnight + 60 * second)
    put_back = replace(item, state=replace(item.state, tried=midnight + 900 * second))
    assert is_due(put_back, SEASON_END, zone, midnight + 60 * second)
    assert not is_due(replace(item, enabled=False), SEASON_END, zone, midnight)


def test_it_ends_with_the_season() -> None:
    item = schedule(Repeat.CYCLE, "2020-12-31", every=1)
    assert not is_over(item, SEASON_END)
    past = replace(item, state=ScheduleState(date(2021, 1, 1)))
    assert is_over(past, SEASON_END)
    assert not is_due(past, SEASON_END, ZoneInfo("UTC"), datetime(2022, 1, 1, tzinfo=UTC))
    assert is_over(replace(item, state=ScheduleState(None)), SEASON_END)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"repeat": Repeat.CYCLE}, "'cycle' needs 'every', from 1 to 366: None is not"),
        ({"repeat": Repeat.CYCLE, "every": 0}, "needs 'every'"),
        ({"repeat": Repeat.REPEAT, "day": 32}, "needs 'day', from 1 to 31"),
        ({"repeat": Repeat.ONCE, "every": 3}, "'every' goes with 'cycle' and not with 'once'"),
        ({"repeat": Repeat.CYCLE, "every": 3, "day": 3}, "'day' goes with 'repeat'"),
        ({"repeat": Repeat.ONCE, "name": "../x"}, "cannot name a schedule"),
        ({"repeat": Repeat.ONCE, "retry_seconds": 0}, "at least 1 second"),
    ],
)
def test_a_rhythm_that_makes_no_sense_is_refused(values: dict[str, Any], sentence: str) -> None:
    fields = {"name": "s", "processor": "l3b", "site": "a", "season": "b", **values}
    with pytest.raises(InvalidParameter, match=sentence):
        Schedule(first=date(2020, 1, 1), **fields)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (schedule(Repeat.ONCE, "2020-05-01"), "once"),
        (schedule(Repeat.CYCLE, "2020-05-01", every=1), "daily"),
        (schedule(Repeat.CYCLE, "2020-05-01", every=14), "every 14 days"),
        (schedule(Repeat.REPEAT, "2020-05-01", day=31), "month end"),
        (schedule(Repeat.REPEAT, "2020-05-01", day=5), "day 5 of each month"),
    ],
)
def test_a_rhythm_in_words(item: Schedule, words: str) -> None:
    assert item.rhythm == words

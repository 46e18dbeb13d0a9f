"""Dekads, seasons and days: hand-made expectations from the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sen4cap.domain import Dekad, Season, Site, dekad_of
from sen4cap.errors import InvalidParameter


@pytest.mark.parametrize(
    ("day", "number"),
    [
        (date(2023, 1, 1), 1),
        (date(2023, 1, 10), 1),
        (date(2023, 1, 11), 2),
        (date(2023, 1, 31), 3),
        (date(2020, 2, 29), 6),
        (date(2023, 2, 28), 6),
        (date(2020, 3, 1), 7),
        (date(2023, 12, 31), 36),
    ],
)
def test_dekad_of_day(day: date, number: int) -> None:
    assert dekad_of(day) == Dekad(day.year, number)


@given(st.dates(date(1999, 1, 1), date(2060, 12, 31)))
def test_a_day_lies_within_its_dekad(day: date) -> None:
    found = dekad_of(day)
    assert found.start <= day <= found.end
    assert 8 <= (found.end - found.start).days + 1 <= 11


def test_season_over_new_year_keeps_its_columns_in_leap_years() -> None:
    plain = Season("s", "2018", date(2017, 10, 1), date(2018, 7, 31))
    leap = Season("s", "2020", date(2019, 10, 1), date(2020, 7, 31))
    assert plain.dekad_labels == leap.dekad_labels
    assert plain.dekad_labels[:2] == ("d28", "d29")
    assert plain.dekad_labels[9:] == tuple(f"d{number:02d}" for number in range(1, 22))
    assert leap.dekad_index(date(2020, 2, 29)) == plain.dekad_index(date(2018, 2, 28)) == 14


def test_a_second_round_of_dekads_has_its_own_columns() -> None:
    season = Season("s", "long", date(2017, 1, 1), date(2018, 5, 31))
    assert len(set(season.dekad_labels)) == len(season.dekad_labels) == 36 + 15
    assert season.dekad_labels[36] == "d01b"


@pytest.mark.parametrize(
    ("start", "end", "year"),
    [
        (date(2017, 10, 1), date(2018, 7, 31), 2018),
        (date(2018, 2, 1), date(2019, 1, 31), 2018),
        (date(2018, 7, 2), date(2019, 7, 1), 2018),
        (date(2018, 12, 1), date(2019, 1, 31), 2019),
    ],
)
def test_year_of_declarations_holds_more_days_and_a_tie_goes_to_the_end(
    start: date, end: date, year: int
) -> None:
    assert Season("s", "x", start, end).year == year


def test_season_of_auckland_begins_at_its_own_midnight() -> None:
    site = Site("Auckland", "auckland", "Pacific/Auckland")
    season = Season("auckland", "winter", date(2023, 8, 22), date(2023, 10, 31))
    sensed = datetime(2023, 8, 21, 22, 19, 41, tzinfo=UTC)
    assert season.bounds(site.zone)[0] == datetime(2023, 8, 21, 12, tzinfo=UTC)
    assert season.contains(sensed, site.zone)
    assert season.dekad_index(sensed.date()) == 0
    assert not season.contains(datetime(2023, 10, 31, 11, tzinfo=UTC), site.zone)


def test_season_of_lisbon_follows_daylight_saving() -> None:
    site = Site("Lisboa", "lisboa", "Europe/Lisbon")
    season = Season("lisboa", "summer", date(2023, 3, 1), date(2023, 6, 30))
    assert season.bounds(site.zone) == (
        datetime(2023, 3, 1, 0, tzinfo=UTC),
        datetime(2023, 6, 30, 23, tzinfo=UTC),
    )


@pytest.mark.parametrize(("end"), [date(2022, 12, 31), date(2025, 1, 2)])
def test_a_season_that_ends_too_early_or_too_late_is_refused(end: date) -> None:
    with pytest.raises(InvalidParameter, match="two years"):
        Season("s", "x", date(2023, 1, 1), end)


def test_an_unknown_time_zone_is_refused_by_name() -> None:
    with pytest.raises(InvalidParameter, match="'Europe/Lisboa' is no time zone"):
        Site("x", "x", "Europe/Lisboa")

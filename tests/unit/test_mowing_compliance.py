"""Compliance by hand, and the configuration files that rules come from."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sen4cap.errors import InvalidParameter
from sen4cap.kernels.mowing import Events, Kind, mowings, no_events
from sen4cap.processing import validate
from sen4cap.processors.l4b_mowing.cfg import read_cfg
from sen4cap.processors.l4b_mowing.compliance import Verdict, judge
from sen4cap.processors.l4b_mowing.params import ID, MowingParams
from sen4cap.processors.l4b_mowing.rules import parsed_rules

EPOCH = date(1970, 1, 1)
SEASON = ("2019-01-01", "2020-03-31")


def day(text: str) -> int:
    return (date.fromisoformat(text) - EPOCH).days


def mown(*intervals: tuple[str, str], parcel: int = 0, kind: Kind = Kind.MOWING) -> Events:
    if not intervals:
        return no_events()
    first, last = (np.array([day(item[at]) for item in intervals], np.int32) for at in (0, 1))
    n = len(intervals)
    found = mowings(np.full(n, parcel), first, last, first, np.zeros(n))
    return found._replace(kind=np.full(n, int(kind), np.uint8))


def verdict(
    group: dict[str, Any], events: Events, *, judged: bool = True, searched: Any = SEASON
) -> Verdict:
    rules = parsed_rules(json.dumps({"groups": [{"crops": ["A"], **group}]}))
    where = np.array(["A"]), events, np.array([judged])
    return judge(rules, *where, 2019, (day(searched[0]), day(searched[1])))


def code(group: dict[str, Any], *intervals: tuple[str, str], judged: bool = True) -> int:
    return int(verdict(group, mown(*intervals), judged=judged).code[0])


SUMMER = {"windows": [["04-01", "07-31"]]}
LATE = {"windows": [["07-15", "03-01"]]}
INSIDE, OUTSIDE = ("2019-05-01", "2019-05-11"), ("2019-09-01", "2019-09-11")


def test_the_originals_codes() -> None:
    assert code(SUMMER, INSIDE) == 1
    assert code(SUMMER, INSIDE, OUTSIDE) == 1
    assert code(SUMMER, OUTSIDE) == 2
    assert code(SUMMER) == 2
    assert code(SUMMER, judged=False) == 0
    assert code(SUMMER, INSIDE, judged=False) == 1


def test_the_rule_of_lithuania() -> None:
    strict = {**SUMMER, "exclusive": True}
    assert code(strict, INSIDE) == 1
    assert code(strict, INSIDE, OUTSIDE) == 3
    assert code(strict, OUTSIDE) == 2


def test_a_crop_without_a_rule() -> None:
    found = judge(parsed_rules(""), np.array(["B"]), mown(INSIDE), np.array([True]), 2019, (0, 1))
    assert found.code.tolist() == [-1]
    assert found.sentence.tolist() == ["No rule for crop 'B'."]


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (("2019-07-01", "2019-07-15"), 1),
        (("2019-07-01", "2019-07-14"), 2),
        (("2020-01-10", "2020-01-20"), 1),
        (("2020-03-01", "2020-03-09"), 1),
        (("2020-03-02", "2020-03-09"), 2),
        (("2019-02-20", "2019-02-25"), 2),
    ],
)
def test_a_window_over_new_year(interval: tuple[str, str], expected: int) -> None:
    assert code(LATE, interval) == expected


def test_several_windows_and_the_leap_day() -> None:
    two = {"windows": [["02-29", "03-10"], ["08-01", "08-31"]]}
    assert code(two, ("2019-02-28", "2019-02-28")) == 1
    assert code(two, ("2019-08-31", "2019-09-04")) == 1
    assert code(two, INSIDE) == 2


def test_numbers_of_mowings() -> None:
    assert code({**SUMMER, "min_events": 2}, INSIDE) == 2
    assert code({**SUMMER, "min_events": 2}, INSIDE, ("2019-06-20", "2019-06-25")) == 1
    assert code({**SUMMER, "max_events": 1}, INSIDE, OUTSIDE) == 3
    assert code({"min_events": 0, "max_events": 0}) == 1
    assert code({"min_events": 0, "max_events": 0}, INSIDE) == 3


def test_an_interval_is_given_the_benefit_of_the_doubt() -> None:
    """Only what lies wholly in a forbidden window, or is too near at best, is held against it."""
    forbidden = {"min_events": 0, "forbidden": [["04-01", "05-05"]]}
    assert code(forbidden, INSIDE) == 1
    assert code(forbidden, ("2019-04-28", "2019-05-05")) == 3
    spaced = {"min_interval": 30}
    assert code(spaced, INSIDE, ("2019-05-21", "2019-05-31")) == 1
    assert code(spaced, INSIDE, ("2019-05-21", "2019-05-30")) == 3


def test_only_mowing_counts() -> None:
    grazed = mown(INSIDE, kind=Kind.GRAZING)
    assert verdict(SUMMER, grazed).code.tolist() == [2]


def test_sentences() -> None:
    def told(group: dict[str, Any], *intervals: tuple[str, str], searched: Any = SEASON) -> str:
        return str(verdict(group, mown(*intervals), searched=searched).sentence[0])

    assert told(SUMMER, INSIDE) == "Mown once within 2019-04-01 to 2019-07-31."
    assert told({**SUMMER, "min_events": 3}, INSIDE, INSIDE) == (
        "Mown twice within 2019-04-01 to 2019-07-31, 3 times asked."
    )
    assert told(LATE, searched=("2019-04-01", "2019-08-15")) == (
        "Not mown within 2019-07-15 to 2020-03-01, looked at up to 2019-08-15."
    )
    everything = {**SUMMER, "exclusive": True, "max_events": 1, "min_interval": 200}
    assert told({**everything, "forbidden": [["09-01", "09-30"]]}, INSIDE, OUTSIDE) == (
        "Mown once outside 2019-04-01 to 2019-07-31; mown within 2019-09-01 to 2019-09-30, when it "
        "must not be; mown twice, 1 allowed; mown again before 200 days had passed."
    )


def test_parcels_are_judged_by_their_own_group() -> None:
    rules = parsed_rules(
        json.dumps({"groups": [{"crops": ["A", "B"], **SUMMER}, {"crops": ["C"], **LATE}]})
    )
    events = [mown(INSIDE, parcel=at) for at in range(4)]
    together = Events(*(np.concatenate(parts) for parts in zip(*events, strict=True)))
    crops, judged = np.array(["A", "B", "C", "D"]), np.ones(4, bool)
    found = judge(rules, crops, together, judged, 2019, (day(SEASON[0]), day(SEASON[1])))
    assert found.code.tolist() == [1, 1, 2, -1]


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ([{"crops": []}], "groups.0.crops"),
        ([{"crops": ["A"]}, {"crops": ["A"]}], "crop code 'A' is in several groups"),
        ([{"crops": ["A"], "windows": [["04-31", "05-01"]]}], "'04-31' is no day: give MM-DD"),
        ([{"crops": ["A"], "window": []}], "groups.0.window"),
        ([{"crops": ["A"], "min_events": -1}], "groups.0.min_events"),
    ],
)
def test_rules_that_cannot_be_used(groups: Any, told: str) -> None:
    with pytest.raises(InvalidParameter, match=told):
        validate(ID, MowingParams, {"compliance": json.dumps({"groups": groups})})


CFG = """
[S2_processing]
prod_type_list = SNDVI
decreasing_abs_th = 0.15
no_mowing_after_det = 60
    ; days
non_overlap_interval_days = 28
erode_pixels = 1
[S1_processing]
pfa = 3.0e-7
saturate_sigma = False
pol_types = VH, VV
[compliancy]
crop_codes = GPZ, EPT, 5PT-2, MNP
crop_time_intervals = ('01/04/2019', '31/07/2019'), ('01/05/2019', '30/10/2019'),
    ('15/07/2019', '01/03/2020'), ('01/04/2019', '31/07/2019')
crop_rule = 0, 0, 1, 0
"""


def test_a_configuration_of_the_original() -> None:
    found = read_cfg(CFG)
    params = validate(ID, MowingParams, found.values)
    assert (params.decreasing_abs_th, params.no_mowing_after_det) == (0.15, 60)
    assert (params.s2_non_overlap_interval_days, params.s1_non_overlap_interval_days) == (28, 28)
    assert (params.pfa, params.saturate_sigma, params.pol_types) == (3e-7, False, "VH, VV")
    assert [
        (group.crops, group.windows, group.exclusive)
        for group in parsed_rules(params.compliance).groups
    ] == [
        (("GPZ", "MNP"), (("04-01", "07-31"),), False),
        (("EPT",), (("05-01", "10-30"),), False),
        (("5PT-2",), (("07-15", "03-01"),), True),
    ]
    [note] = found.notes
    assert note.startswith("'erode_pixels' in [S2_processing] has no effect here")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("SNDVI", "SLAIMONO", "'prod_type_list = SLAIMONO' in .S2_processing. cannot be followed"),
        ("crop_rule = 0, 0, 1, 0", "crop_rule = 0", "4 crop_codes, 4 crop_time_intervals and 1"),
        ("'01/04/2019'", "'2019-04-01'", "dd/mm/yyyy"),
        ("'01/03/2020'", "'01/08/2020'", "within a year"),
        ("('15/07/2019'", "('15/07/2019", "cannot be read"),
        ("GPZ, EPT, 5PT-2, MNP", "GPZ, EPT, MNP, MNP", "crop code 'MNP' is in several groups"),
    ],
)
def test_a_configuration_that_cannot_be_followed(old: str, new: str, told: str) -> None:
    with pytest.raises(InvalidParameter, match=told):
        read_cfg(CFG.replace(old, new))


def test_what_is_no_configuration() -> None:
    with pytest.raises(InvalidParameter, match="no configuration"):
        read_cfg("pfa = 3")
    with pytest.raises(InvalidParameter, match="none of the sections"):
        read_cfg("[GENERAL]\na = 1")


@pytest.mark.data
def test_the_originals_default_configuration_is_ours(shared_data: Path) -> None:
    folder = shared_data / "sen4cap_config_samples" / "L4B"
    found = read_cfg((folder / "S4C_L4B_Default_Config.cfg").read_text("utf-8"))
    assert found.notes == ()
    params = validate(ID, MowingParams, found.values)
    assert params.model_copy(update={"compliance": ""}) == MowingParams()
    [italy] = parsed_rules(params.compliance).groups
    assert (len(italy.crops), italy.crops[0]) == (17, "046")
    assert italy.windows == (("04-01", "10-31"),)


@pytest.mark.data
def test_the_other_sample_sets_what_it_says(shared_data: Path) -> None:
    folder = shared_data / "sen4cap_config_samples" / "L4B"
    values = read_cfg((folder / "config.ini").read_text("utf-8")).values
    params = validate(ID, MowingParams, values)
    assert (params.pfa, params.no_mowing_after_det) == (3e-7, 60)
    assert params.s2_non_overlap_interval_days == 28

"""Which scene of a pass stands, what is asked and what is missed; expected values by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from sen4cap.acquisition.params import AcquisitionParams, sources_of, wanted
from sen4cap.acquisition.plan import first_instant, missed, span, why_unwanted
from sen4cap.acquisition.supersession import Known, choose, outdated, passes
from sen4cap.domain import Product, ProductType, Season, Site
from sen4cap.domain.scene import Scene

START = datetime(2019, 5, 3, 10, 50, 31, tzinfo=UTC)
SQUARE = "POLYGON ((5 52, 6 52, 6 53, 5 53, 5 52))"
BESIDE = "POLYGON ((6 52, 7 52, 7 53, 6 53, 6 52))"
SCENE = Scene(
    "S2A_OLD",
    "one",
    ProductType.L2A,
    "31UFU",
    START,
    SQUARE,
    (),
    {"platform": "sentinel-2a", "sat:relative_orbit": 51, "s2:processing_baseline": "02.14"},
)
SITE = Site("Nederland", "nl", "Europe/Amsterdam", SQUARE)
SEASON = Season("nl", "2019", date(2019, 3, 31), date(2019, 9, 30))


def scene(name: str, baseline: str = "05.10", created: str = "", **changes: object) -> Scene:
    told = {**SCENE.properties, "s2:processing_baseline": baseline, "created": created}
    return replace(SCENE, **{"name": name, "properties": told, **changes})


def test_passes_are_scenes_of_a_place_within_a_quarter_of_an_hour() -> None:
    later = replace(SCENE, name="B", start=START + timedelta(minutes=15))
    orbit = replace(SCENE, name="C", start=START + timedelta(minutes=100))
    other = replace(SCENE, name="D", place="31UFT")
    groups = [[item.name for item in group] for group in passes([orbit, later, other, SCENE])]
    assert groups == [["D"], ["S2A_OLD", "B"], ["C"]]


def test_the_newest_baseline_then_the_latest_generation_stands() -> None:
    found = [
        scene("A", "05.10", "2024-01-01"),
        scene("B", "05.09", "2025-01-01"),
        scene("C", "05.10", "2024-02-01"),
    ]
    [chosen] = choose(found, [])
    assert chosen.scene.name == "C"
    assert [(left.name, why) for left, why in chosen.left] == [
        ("A", "Superseded by 'C'."),
        ("B", "Superseded by 'C'."),
    ]


def test_a_pass_keeps_the_instant_under_which_it_is_known() -> None:
    newer = scene("NEW", start=START + timedelta(seconds=2))
    [chosen] = choose([newer], [Known(SCENE)])
    assert (chosen.scene.name, chosen.scene.start) == ("NEW", START)


@pytest.mark.parametrize(
    ("baseline", "kept", "stands"),
    [
        ("05.10", True, "NEW"),
        ("02.14", True, "S2A_OLD"),
        ("02.14", False, "NEW"),
        ("", True, "S2A_OLD"),
    ],
)
def test_another_source_takes_over_what_is_kept_with_a_newer_baseline_only(
    baseline: str, kept: bool, stands: str
) -> None:
    [chosen] = choose([scene("NEW", baseline, source="two")], [Known(SCENE, kept=kept)])
    assert chosen.scene.name == stands


def product(name: str, kind: ProductType, *parents: str) -> Product:
    return Product(name, "nl", kind, "31UFU", START, START, f"{name:0>32}", parents=parents)


def test_out_of_date_is_what_rests_on_what_no_longer_stands() -> None:
    made = [
        product("image1", ProductType.L2A),
        product("image2", ProductType.L2A),
        product("index1", ProductType.L3B, "image1"),
        product("markers", ProductType.MARKERS, "index1"),
        product("map", ProductType.L4A, "markers", "index1"),
    ]
    current = {item.slot: item.name for item in made}
    why = "'image1', from which it was made, was superseded by 'image2'."
    assert outdated(made, current) == {"index1": why, "markers": why, "map": why}
    assert outdated([made[1]], {made[1].slot: "image2"}) == {}
    assert outdated(made[2:3], {made[2].slot: "index1"}) == {
        "index1": "'image1', from which it was made, was removed."
    }


def test_the_lead_time_is_whole_months_of_local_days() -> None:
    params = AcquisitionParams()
    assert first_instant(params, SITE, SEASON, "s2") == datetime(2019, 1, 27, 23, tzinfo=UTC)
    assert first_instant(params, SITE, SEASON, "s1") == datetime(2019, 3, 18, 23, tzinfo=UTC)


def test_the_span_begins_before_the_scene_of_the_tile_farthest_behind() -> None:
    params = AcquisitionParams(s2_days_back=10)
    now = datetime(2019, 6, 1, tzinfo=UTC)
    newest = {"31UFU": START, "31UFT": START + timedelta(days=5)}
    both = ("31UFU", "31UFT")
    assert span(params, SITE, SEASON, "s2", newest, both, now) == (START - timedelta(days=9), now)
    first = first_instant(params, SITE, SEASON, "s2")
    assert span(params, SITE, SEASON, "s2", newest, (*both, "31UGU"), now)[0] == first
    late = datetime(2020, 1, 1, tzinfo=UTC)
    assert span(params, SITE, SEASON, "s2", newest, both, late)[1] == datetime(
        2019, 9, 30, 22, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("changes", "scene", "words"),
    [
        ({}, SCENE, ""),
        ({"max_cloud": 30}, scene("A"), ""),
        ({}, replace(SCENE, footprint=BESIDE), "does not lie on the site"),
        ({"s2_orbits": "8, 94"}, SCENE, "orbit 51 is none"),
        ({"s2_orbits": "8, 51"}, SCENE, ""),
    ],
)
def test_why_a_scene_is_left_out(changes: dict[str, object], scene: Scene, words: str) -> None:
    told = why_unwanted(AcquisitionParams(**changes), SITE, scene)
    assert words in told
    assert bool(told) == bool(words)


def series(days: list[int], platform: str = "sentinel-2a", orbit: int = 51) -> list[Scene]:
    told = {"platform": platform, "sat:relative_orbit": orbit}
    return [replace(SCENE, start=START + timedelta(days=day), properties=told) for day in days]


@pytest.mark.parametrize(
    ("days", "until", "expected"),
    [
        ([0, 10, 20, 40, 50], 52, [30]),
        ([0, 10, 20, 30], 39, []),
        ([0, 10, 20, 30], 41, [40]),
        ([0, 10, 20, 30], 300, [40, 50, 60]),
        ([0, 10, 30], 300, []),
        ([0, 12, 24, 48, 60, 72], 73, [36]),
    ],
)
def test_missed_passes_follow_the_tracks_own_rhythm(
    days: list[int], until: int, expected: list[int]
) -> None:
    found = list(missed(series(days), START + timedelta(days=until)))
    assert [(time - START).days for _, _, time in found] == expected


def test_each_satellite_has_its_own_rhythm() -> None:
    scenes = [*series([0, 10, 20, 30]), *series([5, 15, 35, 45], "sentinel-2b")]
    found = list(missed(scenes, START + timedelta(days=45)))
    assert sorted((time - START).days for _, _, time in found) == [25, 40]


def test_without_a_primary_source_nothing_is_wanted() -> None:
    assert wanted(AcquisitionParams(), "s2") == ()
    params = AcquisitionParams(s1_primary="asf", s1_fallback="hyp3", s1_enabled=True)
    assert wanted(params, "s1") == (ProductType.S1_AMP, ProductType.S1_COHE)
    assert sources_of(params, "s1") == ("asf", "hyp3")
    assert wanted(params.model_copy(update={"enabled": False}), "s1") == ()

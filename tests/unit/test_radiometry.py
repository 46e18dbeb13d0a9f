"""The offset decision. Expected values follow from (DN + BOA_ADD_OFFSET) / 10000 by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sen4cap.acquisition.radiometry import (
    DarkPixels,
    Decision,
    Evidence,
    as_declared,
    baseline_number,
    decide,
)
from sen4cap.domain.found import Provider, Scaling
from sen4cap.errors import RadiometryRefused

PRODUCT = Scaling("the product metadata", 1e-4, -0.1)
ASSET = Scaling("the asset metadata", 1e-4, -0.1)
FILE = Scaling("the raster file", 1e-4, -0.1)
REMOVED = Scaling("the asset metadata", 1e-4, 0.0)
LOW = DarkPixels("B04", 210.0, 4000, 190.0, 2000)
HIGH = DarkPixels("B04", 1210.0, 4000, 1190.0, 2000)
DESERT = DarkPixels("B04", 2100.0, 4000, float("nan"), 0)
HAZE = DarkPixels("B04", 1600.0, 4000, 1400.0, 300)


@pytest.mark.parametrize(
    ("evidence", "offset", "decision"),
    [
        (Evidence("02.14"), 0.0, "none"),
        (Evidence("03.01", dark=LOW), 0.0, "none"),
        (Evidence("04.00"), -0.1, "to_apply"),
        (Evidence("05.10", Provider.ESA, (PRODUCT,), dark=HIGH), -0.1, "to_apply"),
        (Evidence("05.10", Provider.PLANETARY_COMPUTER), -0.1, "to_apply"),
        (Evidence("05.10", Provider.HARMONIZED, dark=LOW), 0.0, "already_applied"),
        (Evidence("05.10", declared=(REMOVED,), dark=LOW), 0.0, "already_applied"),
        (Evidence("05.10", Provider.EARTH_SEARCH, offset_applied=True), 0.0, "already_applied"),
        (Evidence("05.10", Provider.EARTH_SEARCH, offset_applied=False), -0.1, "to_apply"),
        (Evidence("02.14", Provider.EARTH_SEARCH, offset_applied=False), 0.0, "none"),
        (Evidence(None, declared=(ASSET,)), -0.1, "to_apply"),
        (Evidence(None, declared=(REMOVED,)), 0.0, "none"),
        (Evidence(None, declared=(Scaling("the raster file", 1e-4),)), 0.0, "none"),
        (Evidence(None, is_integer=False), 0.0, "none"),
    ],
)
def test_offset_follows_baseline_provider_and_metadata(
    evidence: Evidence, offset: float, decision: str
) -> None:
    decided = decide(evidence)

    assert decided.offset == pytest.approx(offset)
    assert decided.decision == decision
    assert decided.scale == pytest.approx(1e-4 if evidence.is_integer else 1.0)
    assert decided.because


def test_scale_and_offset_told_three_times_are_applied_once() -> None:
    decided = decide(Evidence("05.10", Provider.ESA, (PRODUCT, ASSET, FILE), dark=HIGH))

    # DN 3000: (3000 - 1000) / 10000
    assert 3000 * decided.scale + decided.offset == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (Evidence("05.10", declared=(PRODUCT,), dark=LOW), ("product metadata", "B04", "210")),
        (Evidence("05.10", dark=LOW), ("05.10", "B04", "removed already")),
        (Evidence("02.14", dark=HIGH), ("02.14", "B04", "1190")),
        (Evidence("05.10", declared=(REMOVED,), dark=HIGH), ("asset metadata", "1190")),
        (Evidence("02.14", declared=(ASSET,)), ("asset metadata", "02.14")),
        (Evidence("05.10", declared=(PRODUCT, REMOVED)), ("product metadata", "asset metadata")),
        (
            Evidence("05.10", declared=(ASSET,), offset_applied=True),
            ("asset metadata", "boa_offset_applied"),
        ),
        (
            Evidence("05.10", declared=(PRODUCT, Scaling("the raster file", 4e-3))),
            ("scale 0.0001", "scale", "0.004"),
        ),
        (Evidence(None), ("Nothing tells",)),
        (Evidence("5"), ("'5'", "baseline")),
    ],
)
def test_contradiction_is_refused_naming_both_sides_and_the_way_out(
    evidence: Evidence, words: tuple[str, ...]
) -> None:
    with pytest.raises(RadiometryRefused) as refused:
        decide(evidence)

    for word in (*words, "--offset", "--scale"):
        assert word in str(refused.value)


@pytest.mark.parametrize("dark", [DESERT, HAZE])
@pytest.mark.parametrize(("baseline", "offset"), [("02.14", 0.0), ("05.10", -0.1)])
def test_bright_scenes_are_no_evidence(dark: DarkPixels, baseline: str, offset: float) -> None:
    assert decide(Evidence(baseline, dark=dark)).offset == pytest.approx(offset)


def test_few_pixels_are_no_evidence() -> None:
    few = DarkPixels("B04", 210.0, 255, 190.0, 255)

    assert decide(Evidence("05.10", dark=few)).offset == pytest.approx(-0.1)


def test_bright_short_wave_infrared_is_no_evidence() -> None:
    vegetation = DarkPixels("B12", 1210.0, 4000, 1190.0, 4000)

    assert decide(Evidence("02.14", dark=vegetation)).offset == 0.0


def test_the_user_ends_every_contradiction() -> None:
    decided = decide(Evidence("05.10", declared=(PRODUCT, REMOVED), dark=LOW, offset=0.0))

    assert (decided.scale, decided.offset) == (pytest.approx(1e-4), 0.0)
    assert decided.decision is Decision.ALREADY_APPLIED
    assert "user" in " ".join(decided.because)


def test_user_scale_leaves_the_offset_to_the_evidence() -> None:
    decided = decide(Evidence("05.10", scale=2e-4))

    assert (decided.scale, decided.offset) == (2e-4, pytest.approx(-0.1))


@given(st.integers(0, 99), st.integers(0, 99))
def test_baseline_is_read_in_both_spellings(major: int, minor: int) -> None:
    assert baseline_number(f"{major:02d}.{minor:02d}") == (major, minor)
    assert baseline_number(f"N{major:02d}{minor:02d}") == (major, minor)


def test_index_is_scaled_as_declared_and_once() -> None:
    tags = Scaling("the raster file", 0.004)
    decided = as_declared((Scaling("the asset metadata", 0.004, 0.0), tags))

    assert (decided.scale, decided.offset, decided.decision) == (0.004, 0.0, "none")
    assert as_declared(()).scale == 1.0
    assert as_declared((tags,), scale=0.01).scale == 0.01
    with pytest.raises(RadiometryRefused, match=r"0\.004.*0\.005"):
        as_declared((tags, Scaling("the asset metadata", 0.005)))

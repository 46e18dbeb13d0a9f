"""What stored reflectances mean: scale, and whether an offset is still in them.

Surface reflectance is (DN + BOA_ADD_OFFSET) / QUANTIFICATION_VALUE. From processing baseline
04.00 on, ESA adds 1000 to every DN, so that BOA_ADD_OFFSET is -1000; reprocessing gave the
shift to old dates too, so that the baseline tells and never the date (Sentinel-2 Products
Specification Document, issue 14). Some providers remove the shift again, not all say so.

The decision weighs what metadata say, and the pixels may contradict it. They never decide alone:

- *Dark*: where 1 % of the valid pixels lie below 700, no shift of 1000 can be in them (they
  would be reflectances below -0.03).
- *Bright*: where less than 1 % of the vegetation and water pixels lie below 900 in red, the
  shift is still in them (neither is that bright). Over desert, snow and cloud a high percentile
  says nothing, so that these pixels are not asked.
A contradiction is refused; scale and offset that the user declares end it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import isclose

from sen4cap.domain.found import Provider, Scaling
from sen4cap.errors import RadiometryRefused

QUANTIFICATION = 10_000
SHIFT = 1000
"""What is added to a DN from baseline 04.00 on."""
SHIFTED_FROM = (4, 0)
DARK = 700
"""DN: a 1st percentile below it cannot carry the shift."""
BRIGHT = 900
"""DN: a 1st percentile of vegetation and water above it must carry the shift."""
ENOUGH_PIXELS = 256
ENOUGH_SHARE = 0.1
"""Share of vegetation and water among the pixels; of fewer, many are cloud taken for land."""
BRIGHT_BANDS = frozenset({"B02", "B03", "B04"})
"""Bands in which both vegetation and water are dark."""
TOLERANCE = 1e-6

ADVICE = "declare what is right with --offset and --scale (reflectance = DN × scale + offset)"


class Decision(StrEnum):
    """What is to be done about the offset."""

    TO_APPLY = "to_apply"
    """The shift is in the stored values."""
    ALREADY_APPLIED = "already_applied"
    """The shift was in and was removed."""
    NONE = "none"
    """There never was a shift."""


@dataclass(frozen=True)
class DarkPixels:
    """The dark end of a band's stored values; 0 and nodata are left out."""

    band: str
    p1: float
    """1st percentile, DN; NaN where there is no valid pixel."""
    count: int
    """Valid pixels looked at."""
    target_p1: float
    """1st percentile over vegetation and water, DN; NaN where there is none."""
    target_count: int
    """Pixels of vegetation and water looked at."""

    @property
    def shows_no_shift(self) -> bool:
        """Whether the shift cannot be in the values."""
        return self.count >= ENOUGH_PIXELS and self.p1 < DARK

    @property
    def shows_shift(self) -> bool:
        """Whether the shift must be in the values."""
        enough = self.target_count >= max(ENOUGH_PIXELS, ENOUGH_SHARE * self.count)
        return enough and self.band in BRIGHT_BANDS and self.target_p1 > BRIGHT


@dataclass(frozen=True)
class Evidence:
    """All that is known of a reflectance band."""

    baseline: str | None = None
    """Processing baseline, `05.10`; None where nothing tells it."""
    provider: Provider = Provider.UNKNOWN
    declared: tuple[Scaling, ...] = ()
    """What product metadata, asset metadata and the raster file say."""
    offset_applied: bool | None = None
    """`earthsearch:boa_offset_applied`."""
    dark: DarkPixels | None = None
    is_integer: bool = True
    """Whether stored values are integers; reflectances stored as floats mean themselves."""
    scale: float | None = None
    """Declared by the user; ends every doubt."""
    offset: float | None = None
    """Declared by the user, reflectance; ends every doubt."""


@dataclass(frozen=True)
class Radiometry:
    """Physical value = stored value × scale + offset."""

    scale: float
    offset: float
    decision: Decision
    because: tuple[str, ...]
    """Sentences."""


def decide(evidence: Evidence) -> Radiometry:
    """Scale and offset of a reflectance band, with the reasons.

    Raises
    ------
    RadiometryRefused
        If two of metadata, baseline and pixels contradict each other, or nothing tells.
    """
    scale, scale_because = _scale(evidence)
    if evidence.offset is not None:
        decision = _named(evidence.offset, evidence.baseline)
        told = f"The user declares the offset {evidence.offset:g}."
        return Radiometry(scale, evidence.offset, decision, (scale_because, told))
    offset, because = _offset(evidence)
    dark = evidence.dark if isclose(scale * QUANTIFICATION, 1) else None
    _check_pixels(dark, because[-1], shifted=offset != 0)
    seen = _pixels_say(dark)
    return Radiometry(
        scale, offset, _named(offset, evidence.baseline), (scale_because, *because, *seen)
    )


def as_declared(
    declared: Sequence[Scaling],
    *,
    needs_scale: bool = False,
    scale: float | None = None,
    offset: float | None = None,
) -> Radiometry:
    """Scale and offset of a band that is no reflectance (an index): what is said, applied once.

    Raises
    ------
    RadiometryRefused
        If metadata and raster file disagree, or nobody tells the scale that it needs.
    """
    scales = [(item.teller, item.scale) for item in declared if item.scale is not None]
    offsets = [(item.teller, item.offset) for item in declared if item.offset is not None]
    stated = _agreed("scale", scales) if scale is None else scale
    shift = _agreed("offset", offsets) if offset is None else offset
    if needs_scale and stated is None:
        raise RadiometryRefused(
            "It stores whole numbers and nothing tells their scale: give it with --scale, such as "
            "0.004 or 0.0001 (value = stored value × scale + offset)."
        )
    tellers = ", ".join(dict.fromkeys(teller for teller, _ in (*scales, *offsets))) or "nothing"
    if scale is not None or offset is not None:
        tellers = "the user"
    return Radiometry(
        1.0 if stated is None else stated,
        shift or 0.0,
        Decision.NONE,
        (f"No reflectance: scale and offset are as {tellers} declares.",),
    )


def baseline_number(baseline: str) -> tuple[int, int]:
    """A baseline as two numbers that compare: `05.09`, `N0509` → (5, 9).

    Raises
    ------
    RadiometryRefused
        If it is none.
    """
    digits = baseline.upper().removeprefix("N").replace(".", "")
    if len(digits) != 4 or not digits.isdigit():
        raise RadiometryRefused(f"'{baseline}' is no processing baseline such as 05.10: {ADVICE}.")
    return int(digits[:2]), int(digits[2:])


def _is_shifted(baseline: str | None) -> bool | None:
    return None if baseline is None else baseline_number(baseline) >= SHIFTED_FROM


def _named(offset: float, baseline: str | None) -> Decision:
    if offset:
        return Decision.TO_APPLY
    return Decision.ALREADY_APPLIED if _is_shifted(baseline) else Decision.NONE


def _scale(evidence: Evidence) -> tuple[float, str]:
    if evidence.scale is not None:
        return evidence.scale, f"The user declares the scale {evidence.scale:g}."
    stated = [(item.teller, item.scale) for item in evidence.declared if item.scale is not None]
    agreed = _agreed("scale", stated)
    if agreed is not None:
        return agreed, f"The scale {agreed:g} stands in {_tellers(stated)}."
    if not evidence.is_integer:
        return 1.0, "Values are stored as floating-point reflectances."
    return 1 / QUANTIFICATION, "No scale is declared: Sentinel-2 reflectances are DN / 10000."


def _offset(evidence: Evidence) -> tuple[float, tuple[str, ...]]:
    """Offset that metadata and baseline tell, with the reasons, the weightiest last."""
    shifted = _is_shifted(evidence.baseline)
    votes = _votes(evidence, shifted)
    stated = _agreed("offset", votes)
    if stated is not None:
        told = f"The offset {stated:g} stands in {_tellers(votes)}."
        if stated and shifted is False:
            raise RadiometryRefused(
                f"The offset {stated:g} in {_tellers(votes)} contradicts processing baseline "
                f"{evidence.baseline}, which has none: {ADVICE}."
            )
        return stated, (told,)
    if shifted is not None:
        return _by_baseline(evidence, shifted=shifted)
    return _without_baseline(evidence)


def _by_baseline(evidence: Evidence, *, shifted: bool) -> tuple[float, tuple[str, ...]]:
    baseline = evidence.baseline
    if not shifted:
        return 0.0, (f"Processing baseline {baseline} is before 04.00: there is no offset.",)
    told = f"Processing baseline {baseline} adds {SHIFT} to every DN."
    if evidence.provider is Provider.HARMONIZED:
        return 0.0, (told, "The provider removes the offset from all its products.")
    if not evidence.is_integer:
        return 0.0, (told, "Floating-point reflectances have it removed.")
    return -SHIFT / QUANTIFICATION, (told,)


def _without_baseline(evidence: Evidence) -> tuple[float, tuple[str, ...]]:
    if evidence.provider is Provider.HARMONIZED:
        return 0.0, ("The provider removes the offset from all its products.",)
    if not evidence.is_integer:
        return 0.0, ("Floating-point reflectances are taken as they are.",)
    if any(item.scale is not None for item in evidence.declared):
        return 0.0, ("A scale is declared and no offset.",)
    raise RadiometryRefused(
        "Nothing tells whether the reflectances carry an offset, neither metadata nor a "
        f"processing baseline: {ADVICE}."
    )


def _votes(evidence: Evidence, shifted: bool | None) -> list[tuple[str, float]]:
    """Every statement about the offset, in reflectance.

    That nothing was removed means an offset only where there was one to remove.
    """
    votes = [(item.teller, item.offset) for item in evidence.declared if item.offset is not None]
    if evidence.offset_applied and shifted is not False:
        votes.append(("'earthsearch:boa_offset_applied'", 0.0))
    if evidence.offset_applied is False and shifted:
        votes.append(("'earthsearch:boa_offset_applied'", -SHIFT / QUANTIFICATION))
    return votes


def _agreed(what: str, stated: Sequence[tuple[str, float]]) -> float | None:
    """The value that all state; None where nobody states one."""
    if not stated:
        return None
    (first, value), *others = stated
    for teller, other in others:
        if not isclose(value, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE * TOLERANCE):
            raise RadiometryRefused(
                f"{first[:1].upper()}{first[1:]} says {what} {value:g} and {teller} says "
                f"{other:g}: {ADVICE}."
            )
    return value


def _tellers(stated: Sequence[tuple[str, float]]) -> str:
    return " and ".join(dict.fromkeys(teller for teller, _ in stated))


def _check_pixels(dark: DarkPixels | None, because: str, *, shifted: bool) -> None:
    if dark is None:
        return
    if shifted and dark.shows_no_shift:
        raise RadiometryRefused(
            f"{because} But 1 % of the pixels of {dark.band} lie below {dark.p1:.0f}, which an "
            f"offset would make reflectances below {(dark.p1 - SHIFT) / QUANTIFICATION:.2f}; it "
            f"seems to be removed already: {ADVICE}."
        )
    if not shifted and dark.shows_shift:
        raise RadiometryRefused(
            f"{because} But less than 1 % of the vegetation and water pixels of {dark.band} lie "
            f"below {dark.target_p1:.0f}; an offset of {SHIFT} seems to be in them: {ADVICE}."
        )


def _pixels_say(dark: DarkPixels | None) -> tuple[str, ...]:
    if dark is None:
        return ()
    if dark.shows_shift:
        return (f"The dark pixels agree: 1st percentile {dark.target_p1:.0f} in {dark.band}.",)
    if dark.shows_no_shift:
        return (f"The dark pixels agree: 1st percentile {dark.p1:.0f} in {dark.band}.",)
    return (f"The dark pixels of {dark.band} are no evidence: too few, or between the limits.",)

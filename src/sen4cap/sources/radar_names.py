"""Ready Sentinel-1 backscatter and coherence: what their file names and texts beside them tell.

Known are OPERA's RTC-S1 (product specification D-108758), HyP3's RTC and InSAR products (product
guides of ASF), and the original's own rasters under both of their naming schemes. The original
stored AMP as the square root of intensity, so that its decibels came out halved: such values are
squared before anything else is done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sen4cap.domain import MGRS_TILE, ProductType
from sen4cap.sources.orbits import relative_orbit
from sen4cap.sources.pattern import instant_of

Floats = npt.NDArray[np.float32]


class Stored(StrEnum):
    """How values are stored."""

    POWER = "power"
    AMPLITUDE = "amplitude"
    """Square root of power."""
    DECIBEL = "decibel"
    COHERENCE = "coherence"


@dataclass(frozen=True)
class Radar:
    """One raster of one polarisation."""

    path: Path
    kind: ProductType
    """`s1_l2a_amp` or `s1_l2a_cohe`."""
    quantity: str
    """`gamma0`, `sigma0`, `coherence`; `backscatter` where nothing tells."""
    stored: Stored
    polarisation: str
    start: datetime
    """Sensing start, UTC; of a pair the later one's."""
    first: datetime | None = None
    """Sensing start of the earlier acquisition of a pair, UTC."""
    time_known: bool = True
    """Whether more than the dates is known."""
    platform: str = "sentinel-1"
    """Of the later acquisition: `sentinel-1a`; without letter where nothing tells."""
    first_platform: str = "sentinel-1"
    orbit: int | None = None
    """Relative orbit; None where nothing tells."""
    direction: str = ""
    """`ascending` or `descending`; empty where nothing tells."""
    perpendicular_baseline: float | None = None
    """Metres, of a pair."""
    tile: str = ""
    """Tile to which it was clipped."""

    @property
    def baseline_days(self) -> int | None:
        """Days between the acquisitions of a pair, 6 or 12."""
        return None if self.first is None else (self.start.date() - self.first.date()).days


_DAY = r"\d{8}(?:T\d{6})?"
_POL = "VV|VH|HH|HV"
_TILED = re.compile(
    rf"(S1[A-Z])_L2_(BCK|COH)_({_DAY})(?:_({_DAY}))?_({_POL})_(\d{{1,3}})(?:_({MGRS_TILE}))?"
    r"(?:_r[0-9a-f]{8})?"
)
_FIRST_SCHEME = re.compile(rf"SEN4CAP_L2A_S\d+_V({_DAY})_({_DAY})_({_POL})_(\d{{1,3}})_(AMP|COHE)")
_OPERA = re.compile(
    r"OPERA_L2_RTC-S1_T(\d{3})-\d{6}-IW\d_(\d{8}T\d{6})Z_\d{8}T\d{6}Z_(S1[A-Z])_\d+_v[\d.]+"
    rf"_({_POL})"
)
_HYP3_RTC = re.compile(
    r"(S1[A-Z])_\w\w_(\d{8}T\d{6})_[DS][VH][PRO]_RTC\d+_G_([gs])([pda])[uw][nf][ec][md]"
    rf"_[0-9A-F]{{4}}_({_POL})"
)
_HYP3_PAIR = re.compile(
    r"S1([A-Z])([A-Z])_(\d{8}T\d{6})_(\d{8}T\d{6})_(VV|HH)[PRO]\d{3}_INT\d+_G_\w{3}_[0-9A-F]{4}_corr"
)
_HYP3_BURSTS = re.compile(
    rf"S1_(\d{{3}}|\d{{6}})_(?:[\dsn-]+_)?IW\d?_({_DAY})_({_DAY})_(VV|HH)_INT\d+_[0-9A-F]{{4}}_corr"
)
_GRANULE = re.compile(r"S1([A-D])_IW_\w{3}[_FHM]_\w{4}_\d{8}T\d{6}_\d{8}T\d{6}_(\d{6})_")
_LINE = re.compile(r"^\s*([A-Z][A-Za-z ]+):\s*(\S.*?)\s*$", re.MULTILINE)
_HYP3_STORED = {"p": Stored.POWER, "a": Stored.AMPLITUDE, "d": Stored.DECIBEL}
_QUANTITIES = {"g": "gamma0", "s": "sigma0"}


def described(path: Path, tags: Mapping[str, str]) -> Radar | None:
    """What a raster is by its name, its tags and the text beside it; None if it is no radar.

    `tags` are the raster file's own; those that `radar.prepare` writes go before all else.
    """
    readers: tuple[tuple[re.Pattern[str], Callable[[Path, re.Match[str]], Radar]], ...] = (
        (_TILED, _tiled),
        (_FIRST_SCHEME, _first_scheme),
        (_OPERA, _opera),
        (_HYP3_RTC, _hyp3_rtc),
        (_HYP3_PAIR, _hyp3_pair),
        (_HYP3_BURSTS, _hyp3_bursts),
    )
    for pattern, read in readers:
        if match := pattern.fullmatch(path.stem):
            return _with_tags(_with_text(read(path, match)), tags)
    return None


def power_of(stored: Stored) -> Callable[[Floats], Floats]:
    """Function from stored values to power or coherence; 0 and below, but decibels, are missing."""

    def physical(values: Floats) -> Floats:
        if stored is Stored.DECIBEL:
            power: Floats = np.power(np.float32(10), values / np.float32(10))
            return power
        positive = np.where(values > 0, values, np.float32(np.nan))
        return positive * positive if stored is Stored.AMPLITUDE else positive

    return physical


def _tiled(path: Path, match: re.Match[str]) -> Radar:
    days = [text for text in match.group(3, 4) if text]
    coherent = match[2] == "COH"
    quantity = "coherence" if coherent else "backscatter"
    found = _of(path, quantity, Stored.COHERENCE if coherent else Stored.POWER, match[5], days)
    name = _platform(match[1])
    return replace(
        found, platform=name, first_platform=name, orbit=int(match[6]), tile=match[7] or ""
    )


def _first_scheme(path: Path, match: re.Match[str]) -> Radar:
    if match[5] == "COHE":
        found = _of(path, "coherence", Stored.COHERENCE, match[3], [match[1], match[2]])
    else:
        found = _of(path, "sigma0", Stored.AMPLITUDE, match[3], [max(match[1], match[2])])
    return replace(found, orbit=int(match[4]))


def _opera(path: Path, match: re.Match[str]) -> Radar:
    found = _of(path, "gamma0", Stored.POWER, match[4], [match[2]])
    return replace(found, orbit=int(match[1]), platform=_platform(match[3]))


def _hyp3_rtc(path: Path, match: re.Match[str]) -> Radar:
    quantity = _QUANTITIES[match[3]]
    found = _of(path, quantity, _HYP3_STORED[match[4]], match[5], [match[2]])
    return replace(found, platform=_platform(match[1]))


def _hyp3_pair(path: Path, match: re.Match[str]) -> Radar:
    found = _of(path, "coherence", Stored.COHERENCE, match[5], [match[3], match[4]])
    first, last = sorted([(match[3], match[1]), (match[4], match[2])])
    return replace(
        found, platform=_platform(f"S1{last[1]}"), first_platform=_platform(f"S1{first[1]}")
    )


def _hyp3_bursts(path: Path, match: re.Match[str]) -> Radar:
    found = _of(path, "coherence", Stored.COHERENCE, match[4], [match[2], match[3]])
    return replace(found, orbit=int(match[1]) if len(match[1]) == 3 else None)


def _of(path: Path, quantity: str, stored: Stored, pol: str, days: list[str]) -> Radar:
    """A radar of one date, or of a pair of two in any order."""
    instants = sorted(instant_of({_token(text): text}) for text in days)
    coherent = stored is Stored.COHERENCE
    return Radar(
        path=path,
        kind=ProductType.S1_COHE if coherent else ProductType.S1_AMP,
        quantity=quantity,
        stored=stored,
        polarisation=pol,
        start=instants[-1][0],
        first=instants[0][0] if coherent else None,
        time_known=all(known for _, known in instants),
    )


def _token(text: str) -> str:
    return "datetime" if "T" in text else "date"


def _platform(text: str) -> str:
    return f"sentinel-{text[1:].lower()}"


def _with_text(radar: Radar) -> Radar:
    """With what a text file beside it says: HyP3's list of parameters, or its README."""
    stem = radar.path.stem.removesuffix("_corr").removesuffix(f"_{radar.polarisation}")
    beside = [radar.path.with_name(stem + ending) for ending in (".txt", ".README.md.txt")]
    text = "\n".join(path.read_text("utf-8", "replace") for path in beside if path.is_file())
    told = {key.lower(): value for key, value in _LINE.findall(text)}
    granules = [(f"sentinel-1{item[0].lower()}", int(item[1])) for item in _GRANULE.findall(text)]
    if granules and radar.orbit is None:
        radar = replace(radar, orbit=relative_orbit(*granules[0], radar.start.date()))
    if direction := told.get("reference pass direction"):
        radar = replace(radar, direction=_direction(direction))
    if baseline := told.get("baseline"):
        radar = replace(radar, perpendicular_baseline=float(baseline))
    return radar


def _direction(text: str) -> str:
    """Direction of a pass, also from its first letter."""
    return next((name for name in ("ascending", "descending") if text[:1].lower() == name[0]), "")


def _with_tags(radar: Radar, tags: Mapping[str, str]) -> Radar:
    """With what the raster file itself says, as `tags_of` writes it or as OPERA does."""
    told = {key.lower(): value for key, value in tags.items()}
    if direction := told.get("orbit_state") or told.get("orbit_pass_direction"):
        radar = replace(radar, direction=_direction(direction))
    if quantity := told.get("quantity"):
        radar = replace(radar, quantity=quantity)
    if baseline := told.get("perpendicular_baseline"):
        radar = replace(radar, perpendicular_baseline=float(baseline))
    if platforms := told.get("platforms", "").split():
        radar = replace(radar, platform=platforms[-1], first_platform=platforms[0])
    if told.get("time_known") == "no":
        radar = replace(radar, time_known=False)
    return radar


def tags_of(radar: Radar) -> dict[str, str]:
    """Tags by which `described` knows again what a name does not tell."""
    known = radar.perpendicular_baseline
    return {
        "quantity": radar.quantity,
        "platforms": f"{radar.first_platform} {radar.platform}",
        "time_known": "yes" if radar.time_known else "no",
        **({"orbit_state": radar.direction} if radar.direction else {}),
        **({} if known is None else {"perpendicular_baseline": f"{known:g}"}),
    }

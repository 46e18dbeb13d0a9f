"""Seasons of meadows and pastures with known events: leaf area day by day, and what satellites see.

No number here was fitted to observed events; each is a plausible range, drawn anew per meadow.

- Growth is logistic, warm days make it fast and drought stops it. Leaf area gives NDVI and FAPAR by
  saturating exponentials with K of 0.4-0.9 (F. Baret and G. Guyot, Remote Sensing of Environment
  35, 1991); dead matter, of old stands, stubble and drought, lowers NDVI.
- A cut leaves a leaf area of 0.2-1 and stubble, and intensive meadows are cut every 28-60 days
  (three to six cuts; S. Reinermann et al., Remote Sensing 14, 1647, 2022). Animals take the leaves
  over days to weeks, and not all of them.
- Clouds are a Markov chain of two states, and 2-5 % of the dates called clear are not: NDVI 0.1-0.4
  too low.
- Coherence falls with the canopy, with rain and with the distance of the images. It rises after a
  cut, most if the pair begins soon after it, stays higher for 24-36 days, and rain hides it
  (T. Tamm et al., Remote Sensing 8, 802, 2016). Its estimate has the spread of Cramér and Rao,
  (1 - c²) / √(2 looks), and a floor, √(π / 4 looks) (R. Touzi et al., IEEE Transactions on
  Geoscience and Remote Sensing 37, 1999). A pixel has 15 looks, and each further one adds 5: the
  windows of neighbours overlap.
- One meadow in four is seen as some services deliver it: a pair a week, of whatever track.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sen4cap.kernels.mowing import Kind
from sen4cap.kernels.mowing_labels import Truth
from sen4cap.kernels.series import Series

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Days = NDArray[np.int64]

YEAR = 365
UTTERMOST = 6
"""Cuts and grazings of a meadow, each, at most."""
HEIGHT = 3.0
"""Leaf area at which the canopy hides half of the ground from the radar, about."""

WEEKLY = 0.25
"""Share of the meadows of which a pair a week is known, not of which track."""

USES = ("abandoned", "extensive", "intensive", "pasture", "mixed")
SHARES = (0.06, 0.36, 0.26, 0.18, 0.14)
"""How often each use is drawn."""


class Meadows(NamedTuple):
    """A year of n meadows."""

    optical: Series
    """Signals NDVI, LAI, FAPAR on clear dates."""
    radar: Series
    """Signals coherence VV, VH of pairs, backscatter VV, VH [dB] of images, number of pixels."""
    truth: Truth


def meadows(count: int, year: int, seed: int) -> Meadows:
    """`count` meadows of a year, all different; the same seed gives the same."""
    random = np.random.default_rng(seed)
    day_zero = int((np.datetime64(f"{year}-01-01") - np.datetime64("1970-01-01")).astype(int))
    use = random.choice(len(USES), count, p=SHARES)
    cut = _cuts(random, use)
    grazing = _grazings(random, use, cut)
    dry = _spells(random, count, share=0.45, begin=(140, 240), length=(15, 60))
    leaf, dead = _canopy(random, cut, grazing, dry)
    snow = _snow(random, count)
    optical = _optical(random, leaf, dead, snow, day_zero)
    radar = _radar(random, leaf, cut, day_zero)
    return Meadows(optical, radar, _truth(cut, grazing, day_zero))


def _cuts(random: np.random.Generator, use: Days) -> Days:
    """Days of the cuts, shape (n, UTTERMOST), YEAR where none; ascending."""
    count = len(use)
    cut = np.full((count, UTTERMOST), YEAR)
    cuts = np.select(
        [use == 1, use == 2, use == 4],
        [random.choice([1, 1, 1, 2, 2], count), random.integers(3, 7, count),
         random.choice([1, 1, 2, 3], count)],
        0,
    )  # fmt: skip
    early = random.normal(140, 12, count)
    late = random.normal(182, 24, count)
    day = np.where(use == 2, early, late)
    for number in range(UTTERMOST):
        cut[:, number] = np.where((number < cuts) & (day < 295), day, YEAR)
        day = day + np.where(use == 2, random.uniform(28, 60, count), random.uniform(35, 90, count))
    return cut


def _grazings(random: np.random.Generator, use: Days, cut: Days) -> Days:
    """First and last day of each grazing, shape (n, UTTERMOST, 2), YEAR where none; ascending."""
    count = len(use)
    span = np.full((count, UTTERMOST, 2), YEAR)
    last_cut = np.where(cut < YEAR, cut, 0).max(axis=1)
    turns = np.select(
        [use == 3, use == 4, use == 2],
        [random.integers(1, UTTERMOST + 1, count), random.integers(1, 4, count),
         random.choice([0, 0, 1], count)],
        0,
    )  # fmt: skip
    after = last_cut + random.uniform(20, 60, count)
    day = np.where(use == 3, random.uniform(95, 190, count), np.maximum(after, 100))
    for number in range(UTTERMOST):
        stay = np.minimum(1 + random.exponential(10, count), 80)
        valid = (number < turns) & (day + stay < 315)
        span[:, number, 0] = np.where(valid, day, YEAR)
        span[:, number, 1] = np.where(valid, day + stay, YEAR)
        day = day + stay + random.uniform(15, 60, count)
    return span


def _spells(
    random: np.random.Generator,
    count: int,
    share: float,
    begin: tuple[int, int],
    length: tuple[int, int],
) -> Flags:
    """Days of at most one long spell per meadow, shape (n, YEAR)."""
    first = np.where(random.random(count) < share, random.uniform(*begin, count), 2 * YEAR)
    last = first + random.uniform(*length, count)
    day = np.arange(YEAR)
    flags: Flags = (day >= first[:, None]) & (day < last[:, None])
    return flags


def _snow(random: np.random.Generator, count: int) -> Flags:
    """Days with snow: a winter, and now and then some days in April and October."""
    day = np.arange(YEAR)
    spring, autumn = random.normal(75, 20, count)[:, None], random.normal(320, 15, count)[:, None]
    flags: Flags = (day < spring) | (day > autumn)
    for begin in ((95, 125), (265, 300)):
        flags |= _spells(random, count, share=0.12, begin=begin, length=(2, 8))
    return flags


def _canopy(
    random: np.random.Generator, cut: Days, grazing: Days, dry: Flags
) -> tuple[Doubles, Doubles]:
    """Green leaf area and the share of dead matter in what is seen, both shape (n, YEAR)."""
    count = len(cut)
    rate = random.uniform(0.07, 0.2, count)
    most = random.uniform(2.5, 8.0, count)
    stubble = random.uniform(0.2, 1.0, (count, UTTERMOST))
    yellow = random.uniform(0.05, 0.5, (count, UTTERMOST))
    green_up = random.uniform(6, 30, count)
    ageing = random.uniform(0.0, 0.012, count)
    bite = random.uniform(0.15, 0.8, (count, UTTERMOST))
    onset, end = random.normal(78, 12, count), random.normal(318, 12, count)
    leaf, dead = np.empty((count, YEAR)), np.empty((count, YEAR))
    now, brown, age = random.uniform(0.2, 1.2, count), random.uniform(0.05, 0.35, count), 0.0 * rate
    for day in range(YEAR):
        warm = np.clip(np.sin(np.pi * (day - onset) / (end - onset)), 0, 1) ** 0.7
        stress = np.where(dry[:, day], 0.05, 1.0)
        now = now + rate * warm * stress * now * (1 - now / most)
        now = np.where(day > end - 30, now * 0.99, now)
        age = age + 1
        old = ageing * (age > 60) * (day > 150)
        brown = brown + old * (0.6 - brown) + dry[:, day] * 0.012 * (0.7 - brown)
        brown = brown - brown * warm * stress / green_up * (age < 60)
        for number in range(UTTERMOST):
            mown = cut[:, number] == day
            now = np.where(mown, np.minimum(now, stubble[:, number]), now)
            brown = np.where(mown, np.maximum(brown, yellow[:, number]), brown)
            begin, close = grazing[:, number, 0], grazing[:, number, 1]
            eaten = (begin <= day) & (day <= close)
            loss = 1 - (1 - bite[:, number]) ** (1 / np.maximum(close - begin + 1, 1))
            now = np.where(eaten, np.maximum(now * (1 - loss - rate * warm * 0.5), 0.3), now)
            age = np.where(mown | (day == close), 0, age)
        leaf[:, day], dead[:, day] = now, brown
    return leaf, dead


def _optical(
    random: np.random.Generator, leaf: Doubles, dead: Doubles, snow: Flags, day_zero: int
) -> Series:
    """What Sentinel-2 sees on the dates called clear."""
    count = len(leaf)
    passes = _passes(random, count, orbits=random.integers(1, 3, count), repeat=5)
    clear = passes & _clear(random, count)
    parcel, day = np.nonzero(clear)
    shape = len(parcel)
    bright, soil = random.uniform(0.88, 0.95, count), random.uniform(0.12, 0.25, count)
    slope, light = random.uniform(0.4, 0.9, count), random.uniform(0.4, 0.8, count)
    noise = random.uniform(0.008, 0.03, count)[parcel]
    area = leaf[parcel, day] * random.lognormal(0, 0.06, shape)
    green = 1 - np.exp(-slope[parcel] * area)
    ndvi = soil[parcel] + (bright - soil)[parcel] * green * (1 - 0.45 * dead[parcel, day])
    fapar = 0.94 * (1 - np.exp(-light[parcel] * area)) * (1 - 0.3 * dead[parcel, day])
    wrong = random.random(shape) < random.uniform(0.01, 0.06, count)[parcel]
    hidden = np.where(wrong, random.uniform(0.1, 0.4, shape), 0.0)
    haze = np.abs(random.normal(0, 0.015, shape))
    ndvi = ndvi - hidden - haze + random.normal(0, noise)
    lai = area * (1 - 0.4 * dead[parcel, day]) * (1 - 1.5 * np.minimum(hidden + haze, 0.6))
    lai = np.minimum(lai * random.lognormal(0, 0.1, shape), 8.0)
    fapar = fapar * (1 - 1.2 * (hidden + haze)) + random.normal(0, noise)
    covered = snow[parcel, day]
    ndvi = np.where(covered, random.normal(-0.02, 0.05, shape), ndvi)
    lai, fapar = (np.where(covered, random.uniform(0, high, shape), x)
                  for x, high in ((lai, 2.0), (fapar, 0.4)))  # fmt: skip
    values = np.stack([ndvi, lai, fapar]).astype(np.float32)
    none = np.full(shape, -1, np.int16), np.zeros(shape, np.int16)
    return Series(_starts(parcel, count), (day + day_zero).astype(np.int32), values, *none)


def _passes(random: np.random.Generator, count: int, orbits: Days, repeat: int) -> Flags:
    """Days on which one to two orbits pass, each every `repeat` days; shape (n, YEAR)."""
    day = np.arange(YEAR)
    seen = np.zeros((count, YEAR), np.bool_)
    for number in range(2):
        first = random.integers(0, repeat, count)[:, None]
        seen |= ((day - first) % repeat == 0) & (number < orbits)[:, None]
    return seen


def _clear(random: np.random.Generator, count: int) -> Flags:
    """Days without clouds: a chain that stays covered for 3-8 days and clear for 1.5-5."""
    closes, opens = 1 / random.uniform(1.5, 5, count), 1 / random.uniform(3, 8, count)
    state, clear = random.random(count) < 0.4, np.empty((count, YEAR), np.bool_)
    for day in range(YEAR):
        change = random.random(count) < np.where(state, closes, opens)
        state = state ^ change
        clear[:, day] = state
    return clear


def _radar(random: np.random.Generator, leaf: Doubles, cut: Days, day_zero: int) -> Series:
    """Pairs and images of one to three tracks; every 6 or 12 days."""
    count = len(leaf)
    step = random.choice([6, 12], count)
    rain = random.random((count, YEAR)) < random.uniform(0.12, 0.4, count)[:, None]
    size = np.maximum(random.lognormal(3.2, 1.2, count), 1.0).round()
    wet = _wetness(random, rain)
    parts = [
        part
        for track in range(3)
        for part in _track(random, leaf, cut, (rain, wet), size, step, track)
    ]
    parcel, day, span, track, values = (
        np.concatenate(item, axis=-1) for item in zip(*parts, strict=True)
    )
    order = np.lexsort((track, span, day, parcel))
    parcel, day, span, track = parcel[order], day[order], span[order], track[order]
    values = np.concatenate([values[:, order], size[None, parcel]])
    weekly = (random.random(count) < WEEKLY)[parcel]
    kept = ~weekly | _first_of_week(parcel, day, span)
    return Series(
        _starts(parcel[kept], count),
        (day[kept] + day_zero).astype(np.int32),
        values[:, kept].astype(np.float32),
        np.where(weekly, -1, track)[kept].astype(np.int16),
        span[kept].astype(np.int16),
    )


def _first_of_week(parcel: Days, day: Days, span: Days) -> Flags:
    """The first pair and the first image of each parcel and week."""
    key = (parcel * YEAR + day // 7) * 2 + (span > 0)
    first = np.zeros(len(key), np.bool_)
    first[np.unique(key, return_index=True)[1]] = True
    return first


def _track(
    random: np.random.Generator,
    leaf: Doubles,
    cut: Days,
    weather: tuple[Flags, Doubles],
    size: Doubles,
    step: Days,
    track: int,
) -> list[tuple[Days, Days, Days, Days, Doubles]]:
    """Parcel, day, span, track and values of the pairs and of the images of one track."""
    count = len(leaf)
    present = random.random(count) < (1.0, 0.6, 0.3)[track]
    first = random.integers(0, 12, count)
    passes = (np.arange(YEAR) - first[:, None]) % step[:, None] == 0
    passes &= present[:, None] & (random.random((count, YEAR)) > 0.04)
    parcel, day = np.nonzero(passes)
    images = _backscatter(random, leaf, weather[1], size, parcel, day)
    again = np.nonzero(np.diff(parcel) == 0)[0] + 1
    owner, late, early = parcel[again], day[again], day[again - 1]
    keep = late - early <= 12
    owner, late, early = owner[keep], late[keep], early[keep]
    pairs = _coherence(random, leaf, cut, weather[0], size, owner, early, late)
    nothing, no_pairs = np.full_like(images, np.nan), np.full_like(pairs, np.nan)
    return [
        (owner, late, late - early, np.full_like(late, track), np.concatenate([pairs, no_pairs])),
        (parcel, day, 0 * day, np.full_like(day, track), np.concatenate([nothing, images])),
    ]


def _coherence(
    random: np.random.Generator,
    leaf: Doubles,
    cut: Days,
    rain: Flags,
    size: Doubles,
    parcel: Days,
    early: Days,
    late: Days,
) -> Doubles:
    """Coherence VV and VH as it is estimated, shape (2, pairs)."""
    count = len(leaf)
    base = random.uniform(0.5, 0.85, count)[parcel]
    canopy = (leaf[parcel, early] + leaf[parcel, late]) / 2
    drops = np.cumsum(rain, axis=1)
    fallen: Days = drops[parcel, late] - drops[parcel, early]
    wet_image = rain[parcel, early] | rain[parcel, late]
    lost = (late - early) / 6 * (0.1 + 0.12 * canopy / HEIGHT) + 0.05 * fallen + 0.25 * wet_image
    true = base * np.exp(-lost) * np.exp(-np.log(2) * canopy / HEIGHT)
    mown = ((cut[parcel] > early[:, None]) & (cut[parcel] <= late[:, None])).any(axis=1)
    true = np.where(mown, true * 0.35, true)
    looks = (10 + 5 * size)[parcel]
    both = np.stack([true, true * random.uniform(0.75, 0.95, count)[parcel]])
    spread = (1 - both**2) / np.sqrt(2 * looks)
    floor = np.pi / 4 / looks
    seen: Doubles = np.sqrt((both + random.normal(0, 1, both.shape) * spread) ** 2 + floor)
    return np.minimum(seen, 0.98)


def _wetness(random: np.random.Generator, rain: Flags) -> Doubles:
    """Soil moisture, 0-1: filled by rain, dried by a tenth every day."""
    wet = np.empty(rain.shape)
    now = random.uniform(0.2, 0.8, len(rain))
    for day in range(rain.shape[1]):
        now = np.where(rain[:, day], now + 0.5 * (1 - now), now * 0.9)
        wet[:, day] = now
    return wet


def _backscatter(
    random: np.random.Generator,
    leaf: Doubles,
    wet: Doubles,
    size: Doubles,
    parcel: Days,
    day: Days,
) -> Doubles:
    """Backscatter VV and VH [dB], shape (2, images)."""
    count = len(leaf)
    canopy = 1 - np.exp(-leaf[parcel, day] / HEIGHT)
    moisture = wet[parcel, day]
    co = random.normal(-11, 1.5, count)[parcel] + 3 * moisture - 2.0 * canopy
    cross = random.normal(-18.5, 1.5, count)[parcel] + 2 * moisture + 1.0 * canopy
    looks = (5 * size)[parcel]
    speckle = 10 * np.log10(random.gamma(looks, 1 / looks, (2, len(parcel))))
    seen: Doubles = np.stack([co, cross]) + speckle
    return seen


def _truth(cut: Days, grazing: Days, day_zero: int) -> Truth:
    mown = np.nonzero(cut < YEAR)
    eaten = np.nonzero(grazing[..., 0] < YEAR)
    parcel = np.concatenate([mown[0], eaten[0]])
    first = np.concatenate([cut[mown], grazing[..., 0][eaten]]) + day_zero
    last = np.concatenate([cut[mown], grazing[..., 1][eaten]]) + day_zero
    kind = np.repeat([Kind.MOWING, Kind.GRAZING], [len(mown[0]), len(eaten[0])])
    order = np.lexsort((first, parcel))
    return Truth(
        parcel[order].astype(np.int64),
        first[order].astype(np.int32),
        last[order].astype(np.int32),
        kind[order].astype(np.uint8),
    )


def _starts(parcel: Days, count: int) -> NDArray[np.int64]:
    """Where the observations of each parcel begin, shape (count + 1,)."""
    return np.concatenate([[0], np.cumsum(np.bincount(parcel, minlength=count))]).astype(np.int64)

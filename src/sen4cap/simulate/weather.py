"""When the satellites pass, what clouds hide, and what the scene classification says of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt
from scipy import ndimage, special

Image = npt.NDArray[np.float32]

REPEAT = timedelta(days=10)
PASSES = (
    ("sentinel-2a", 51, datetime(2017, 7, 17, 10, 50, 31, tzinfo=UTC)),
    ("sentinel-2b", 51, datetime(2017, 7, 22, 10, 50, 29, tzinfo=UTC)),
    ("sentinel-2a", 8, datetime(2017, 7, 14, 10, 40, 31, tzinfo=UTC)),
    ("sentinel-2b", 8, datetime(2017, 7, 19, 10, 40, 29, tzinfo=UTC)),
)
"""Platform, relative orbit and one sensing start, from which all others follow every 10 days.

Both orbits see tile 31UFT; orbit 8 passes three days before orbit 51, one platform five days after
the other."""

SHADOW_SHIFT = (-34, -12)
"""Rows and columns (10 m) from a cloud to its shadow: north and a little west."""
CLOUD = 0.62
"""Reflectance of a thick cloud, all bands but the short-wave infrared."""
CLOUD_INFRARED = 0.40
"""Reflectance of a thick cloud in B11."""
SHADE = 0.55
"""Share of the light that a full shadow takes."""


@dataclass(frozen=True)
class Pass:
    """One acquisition."""

    platform: str
    orbit: int
    start: datetime
    """Sensing start, UTC."""


def passes(first: date, last: date, count: int) -> tuple[Pass, ...]:
    """`count` acquisitions spread evenly over those that the orbits give between two days."""
    found = sorted(
        (
            Pass(platform, orbit, known + number * REPEAT)
            for platform, orbit, known in PASSES
            for number in _numbers(known.date(), first, last)
        ),
        key=lambda item: item.start,
    )
    chosen = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int))
    return tuple(found[index] for index in chosen)


def _numbers(known: date, first: date, last: date) -> range:
    before = -((known - first) // REPEAT)
    return range(before, (last - known) // REPEAT + 1)


def covers(count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Share of the sky that is clouded on each date: often little, now and then nearly all.

    One value from each of `count` equally likely parts of a beta distribution (0.5, 1.5), in
    random order, so that few dates are as cloudy as many: a quarter on average.
    """
    ranks = (rng.permutation(count) + rng.uniform(size=count)) / count
    shares = special.betaincinv(0.5, 1.5, ranks)
    return np.where(shares < 0.03, 0.0, np.minimum(shares, 0.97))


def clouds(share: float, size: int, rng: np.random.Generator) -> tuple[Image, Image]:
    """Opacity of clouds and depth of their shadows, 0-1, both of shape (size, size).

    Smooth noise of three scales above the level that leaves `share` of it covered.
    """
    margin = max(abs(step) for step in SHADOW_SHIFT)
    shape = (size + 2 * margin,) * 2
    field = sum(
        weight * _smooth(shape, scale, rng) for scale, weight in ((48, 1.0), (14, 0.5), (4, 0.18))
    )
    level = np.quantile(field, 1.0 - share)
    opacity = np.clip((field - level) / 0.35, 0.0, 1.0) if share > 0 else np.zeros(shape)
    rows, columns = SHADOW_SHIFT
    inside = slice(margin, margin + size)
    lit = opacity[inside, inside].astype(np.float32)
    down = slice(margin - rows, margin - rows + size)
    right = slice(margin - columns, margin - columns + size)
    return lit, (opacity[down, right] * (1.0 - lit)).astype(np.float32)


def _smooth(
    shape: tuple[int, int], scale: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), scale, mode="wrap")
    return np.asarray(noise / noise.std())


def texture(size: int, rng: np.random.Generator) -> Image:
    """Pattern of better and poorer soil, mean 0 and standard deviation 1, shape (size, size)."""
    shape = (size, size)
    field = 0.7 * _smooth(shape, 9, rng) + 0.5 * _smooth(shape, 2.5, rng)
    return np.asarray(field / field.std(), dtype=np.float32)


def classify(ndvi: Image, water: Image, opacity: Image, shadow: Image) -> npt.NDArray[np.uint8]:
    """Scene classification (SCL codes of Sen2Cor) of images of equal shape.

    9 and 8 cloud of high and medium probability, 3 shadow, 6 water, 4 vegetation, 5 bare soil.
    The thin rim of a cloud is missed, as it is in real classifications.
    """
    rules = [opacity > 0.55, opacity > 0.12, shadow > 0.25, water > 0.5, ndvi > 0.35]
    return np.select(rules, [9, 8, 3, 6, 4], default=5).astype(np.uint8)

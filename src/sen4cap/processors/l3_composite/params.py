"""Parameters of composites."""

from __future__ import annotations

from enum import StrEnum

from sen4cap.processing import Params, parameter


class Period(StrEnum):
    """Over which days a composite is made."""

    MONTH = "month"
    DEKAD = "dekad"
    DAYS = "days"
    """So many days, counted from the first of the season."""


class Method(StrEnum):
    """What a pixel gets of its values."""

    MEAN = "mean"
    """Their mean, weighted by closeness to the middle of the period."""
    BEST = "best"
    """The one closest to the middle."""
    MAX = "max"
    """The greatest."""


class CompositeParams(Params):
    """Over which periods composites are made, how, and of what."""

    period: Period = parameter(
        Period.MONTH,
        title="Period",
        description="Days that one composite covers: a month, a dekad (days 1-10, 11-20, 21 to "
        "the end of the month), or as many days as 'days' says from the start of the season on.",
    )
    days: int = parameter(
        30,
        title="Days",
        description="Length of the periods where they are neither months nor dekads.",
        unit="days",
        ge=1,
        le=366,
    )
    method: Method = parameter(
        Method.MEAN,
        title="Method",
        description="What a pixel gets of its valid values: their mean, weighted by closeness to "
        "the middle of the period; the best, closest to the middle; or the max, the greatest.",
    )
    assets: str = parameter(
        "",
        title="Indices and variables",
        description="Comma list of what is composited, such as 'ndvi,lai'; empty is all that the "
        "L3B products have.",
    )

    @property
    def names(self) -> frozenset[str]:
        """Names of the assets that are wanted; empty is all."""
        names = (name.strip().lower() for name in self.assets.split(","))
        return frozenset(name for name in names if name)

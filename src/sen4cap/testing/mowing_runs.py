"""Runs of the mowing processor over the markers of a season, without a system around them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sen4cap.domain import Product, ProductType, revision_of
from sen4cap.processing import Context, Scope, Step
from sen4cap.processing.marker_table import MarkerTable, is_radar
from sen4cap.processors.l4b_mowing import processor
from sen4cap.processors.l4b_mowing.params import MowingParams
from sen4cap.testing.meadow_season import OPTICAL, RADAR, instant_of


def marker_products(ctx: Context) -> tuple[Product, ...]:
    """Marker products of the acquisitions in the table; they name no file."""
    table = MarkerTable.of(ctx.archive, ctx.season)
    found: dict[tuple[datetime, str], dict[str, Any]] = {}
    for marker in table.markers():
        grid = RADAR.name if is_radar(marker) else OPTICAL.name
        for time, orbit in table.acquisitions(marker).iter_rows():
            told = found.setdefault((time, grid + marker[:3]), {"markers": [], "grid": grid})
            told["markers"].append(marker)
            told["sat:relative_orbit"] = orbit
    return tuple(
        Product(
            name=f"markers-{time:%Y%m%d}-{key}",
            site=ctx.site.short_name,
            type=ProductType.MARKERS,
            grid=str(told["grid"]),
            season=ctx.season.name,
            start=time,
            end=time,
            revision=revision_of(str(time), key),
            properties={name: value for name, value in told.items() if name != "grid"},
        )
        for (time, key), told in sorted(found.items())
    )


def mowing_step(ctx: Context, params: MowingParams, until: date | None = None) -> Step:
    """The step over the acquisitions of the table, up to a day."""
    start, after = ctx.season.bounds(ctx.site.zone)
    if until is not None:
        after = min(after, instant_of(until) + timedelta(hours=13, minutes=10))
    scope = Scope(ctx.site.short_name, ctx.season.name, start, after)
    [step] = processor.select(params, scope, marker_products(ctx))
    inputs = [(item.name, item.revision) for item in step.inputs]
    return replace(step, revision=revision_of(params.model_dump(mode="json"), inputs))


def run(ctx: Context, until: date | None = None, **params: Any) -> Product:
    """The mowing product of the season, up to a day."""
    used = MowingParams(**{"method": "sen4cap", **params})
    made: Product = processor.run(ctx, used, mowing_step(ctx, used, until))
    return made

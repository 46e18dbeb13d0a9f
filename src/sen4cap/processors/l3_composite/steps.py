"""What there is to do: one step per grid and period that has an acquisition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from sen4cap.domain import Asset, Product, ProductType, Role, dekad_of, slot_of
from sen4cap.processing import Scope, Step
from sen4cap.processing.period import period_between
from sen4cap.processors.l3_composite.params import CompositeParams, Period


def select(params: CompositeParams, scope: Scope, products: Sequence[Product]) -> Sequence[Step]:
    """One step per grid and period in which the season has an L3B product with a wanted asset.

    Periods are whole days of the site's time zone. Months and dekads are those of the calendar,
    also where the season, and so the inputs, cover but a part of one.
    """
    found = defaultdict(list)
    for item in sorted(products, key=lambda item: item.name):
        inside = item.type == ProductType.L3B and scope.start <= item.start < scope.end
        if inside and wanted(params, item):
            found[_slot(params, scope, item)].append(item)
    return tuple(Step(tuple(found[slot]), slot) for slot in sorted(found))


def wanted(params: CompositeParams, product: Product) -> tuple[Asset, ...]:
    """The assets of an L3B product that are composited."""
    return tuple(
        asset
        for asset in product.assets
        if asset.role is Role.DATA
        and asset.media_type.startswith("image/tiff")
        and (not params.names or asset.name in params.names)
    )


def _slot(params: CompositeParams, scope: Scope, item: Product) -> str:
    zone = ZoneInfo(scope.timezone)
    day, origin = (instant.astimezone(zone).date() for instant in (item.start, scope.start))
    period = period_between(*days_around(day, origin, params), zone)
    return slot_of(scope.site, ProductType.COMPOSITE, item.grid, *period, scope.season)


def days_around(day: date, origin: date, params: CompositeParams) -> tuple[date, date]:
    """First and last day of the period that holds a day; `origin`: first day of the season."""
    if params.period is Period.MONTH:
        first = day.replace(day=1)
        return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    if params.period is Period.DEKAD:
        dekad = dekad_of(day)
        return dekad.start, dekad.end
    first = day - (day - origin) % timedelta(days=params.days)
    return first, first + timedelta(days=params.days - 1)

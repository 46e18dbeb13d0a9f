"""Rules that every store keeps, whatever it stores in: pure functions over values."""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import isclose
from typing import Any

from sen4cap.domain import (
    Grid,
    ParcelSet,
    Product,
    ProductType,
    Season,
    Sensor,
    Service,
    finest,
)
from sen4cap.errors import Conflict, InputRefused, InvalidParameter, NotFound

_JSON = json.JSONEncoder(allow_nan=False, ensure_ascii=False)
EDGE = 1e-6
"""Share of a pixel by which the edges of equal extents may differ."""


def as_json(value: Any) -> str:
    """A value as JSON text.

    Raises
    ------
    InputRefused
        If it holds what JSON cannot: NaN, infinity, objects.
    """
    try:
        return _JSON.encode(value)
    except (TypeError, ValueError) as error:
        raise InputRefused(f"A value cannot be stored as JSON: {error}.") from error


def missing(what: str, name: str, known: Iterable[str]) -> NotFound:
    """The error for a name that is not there; it lists the names that are."""
    names = ", ".join(sorted(known))
    there = f"there are: {names}." if names else "there is none yet: create it first."
    return NotFound(f"There is no {what} '{name}'; {there}")


def no_job(number: int | None) -> NotFound:
    """The error for a job that is not there."""
    return NotFound(f"There is no job {number}: list the jobs to see their numbers.")


def at_work(job: int, site: str) -> Conflict:
    """The error for a site that cannot go yet."""
    return Conflict(f"Job {job} of site '{site}' has not ended: cancel it first.")


def no_step(number: int) -> NotFound:
    """The error for a step that is not there."""
    return NotFound(f"There is no step {number}: list the steps of a job to see their numbers.")


def not_alone(other: Service) -> Conflict:
    """The error for a service that there may be one of only."""
    return Conflict(
        f"Another {other.name} is at work, process {other.pid} on {other.host}: an SQLite "
        "installation has one. Stop it first, or use PostgreSQL."
    )


def no_product(name: str) -> NotFound:
    """The error for a product that is not there."""
    return NotFound(f"There is no product '{name}': list the products of the site for its name.")


def taken(what: str, name: str) -> Conflict:
    """The error for a name that cannot be given twice."""
    return Conflict(f"{what} '{name}' exists already: choose another name.")


def only_global(key: str) -> InvalidParameter:
    """The error for a value of one site where there is one for all."""
    return InvalidParameter(f"{key} is the same for all sites: set it without a site.")


def not_next(parcel_set: ParcelSet) -> Conflict:
    """The error for an import that another one overtook."""
    return Conflict(
        f"Version {parcel_set.version} of the parcels of {parcel_set.year} in site "
        f"'{parcel_set.site}' is not the next one, another import came first: import again."
    )


def check_nesting(new: Season, others: Iterable[Season]) -> None:
    """Refuse a season inside another enabled one; partial overlap is allowed.

    Raises
    ------
    Conflict
        If the days of `new` lie completely inside another enabled season of the site.
    """
    for other in others:
        if other.enabled and other.start <= new.start and new.end <= other.end:
            raise Conflict(
                f"Season '{new.name}' lies inside season '{other.name}' of site '{new.site}': "
                "change its days, or those of the other season."
            )


def finer(known: Grid, new: Grid) -> Grid:
    """The one of two grids of the same name and sensor that has the smaller pixels.

    Raises
    ------
    Conflict
        If they differ in CRS or extent.
    """
    if known.crs != new.crs or not _same_extent(known, new):
        raise Conflict(
            f"Grid '{new.name}' ({new.sensor}) lies elsewhere than the one of that name: "
            f"{new.crs} {new.bounds} against {known.crs} {known.bounds}; give it another name."
        )
    return finest((known, new))


def _same_extent(one: Grid, other: Grid) -> bool:
    tolerance = EDGE * min(*one.pixel, *other.pixel)
    pairs = zip(one.bounds, other.bounds, strict=True)
    return all(isclose(a, b, rel_tol=0.0, abs_tol=tolerance) for a, b in pairs)


def check_same(known: Product, new: Product) -> None:
    """Refuse a product under a name that another one has; products are immutable.

    Raises
    ------
    Conflict
        If site or revision differ.
    """
    if known.site != new.site:
        raise Conflict(
            f"Product '{new.name}' exists in site '{known.site}': "
            "give the product another name in this site."
        )
    if known.revision != new.revision:
        raise Conflict(
            f"Product '{new.name}' exists with revision {known.revision[:8]} and cannot become "
            f"{new.revision[:8]}: a new revision needs a new name."
        )


def no_version(site: str, year: int, version: int, known: Iterable[int]) -> NotFound:
    """The error for a parcel version that is not there or was rolled back."""
    versions = ", ".join(str(number) for number in sorted(known)) or "none"
    return NotFound(
        f"Site '{site}' has no parcels of {year} in version {version}; there are: {versions}."
    )


_IMAGES = {
    ProductType.L2A: Sensor.S2,
    ProductType.S1_AMP: Sensor.S1,
    ProductType.S1_COHE: Sensor.S1,
}


def grid_of(product: Product) -> Grid | None:
    """The grid that the STAC projection fields of an image tell; None of other products."""
    told = product.properties
    crs = told.get("proj:code") or told.get("proj:wkt2")
    shape, transform = told.get("proj:shape"), told.get("proj:transform")
    if product.type not in _IMAGES or not crs or not shape or not transform:
        return None
    a, b, c, d, e, f = (float(value) for value in transform[:6])
    is_landsat = str(told.get("platform", "")).lower().startswith("landsat")
    sensor = Sensor.L8 if is_landsat else _IMAGES[product.type]
    height, width = shape
    return Grid(product.grid, str(crs), (a, b, c, d, e, f), int(width), int(height), sensor)

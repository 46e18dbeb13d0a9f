"""What a mowing product tells otherwise than an earlier one of its season."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sen4cap.app.mowing import events_of, mowing_product, parcels_of
from sen4cap.app.system import System
from sen4cap.domain import Product, ProductType
from sen4cap.errors import InputRefused, NotFound

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

COLUMNS = ("NewID", "Ori_id", "change", "before", "now")


def changes(system: System, name: str, since: str | None = None) -> pl.DataFrame:
    """What changed from an earlier product to a later one.

    Without `since` the earlier one is that whose period ends last before. Columns `NewID`,
    `Ori_id`, `change` (parcel added, parcel gone, mowing added, mowing gone, mowing moved,
    compliance), `before` and `now`, texts; sorted by parcel. A mowing is the same as one of before
    whose day lies in its interval.

    Raises
    ------
    NotFound
        If there is no such product, or none before it.
    InputRefused
        If one is no mowing product, or they are of different seasons.
    """
    import polars as pl

    now = mowing_product(system, name)
    before = mowing_product(system, since) if since else _before(system, now)
    if (now.site, now.season) != (before.site, before.season):
        raise InputRefused(f"'{before.name}' is of another season than '{name}': compare its own.")
    parts = [_of_parcels(before, now), _of_events(before, now)]
    return pl.concat(parts).sort("NewID", "change", "before", "now")


def _before(system: System, product: Product) -> Product:
    """The product of its season that ends last before; of several the one that stands."""
    types = (ProductType.L4B,)
    standing = {item.name for item in system.store.products.search(product.site, types=types)}
    earlier = [
        item
        for item in system.store.products.search(product.site, types=types, current=False)
        if item.season == product.season and item.end < product.end
    ]
    if not earlier:
        raise NotFound(
            f"There is no mowing product before '{product.name}' in its season: name one with "
            "--since."
        )
    return max(earlier, key=lambda item: (item.end, item.name in standing))


def _of_parcels(before: Product, now: Product) -> pl.DataFrame:
    import polars as pl

    columns = ("NewID", "Ori_id", "compl", "compl_why")
    joined = parcels_of(before, columns).join(
        parcels_of(now, columns), on="NewID", how="full", suffix="_now", coalesce=True
    )
    change = (
        pl.when(pl.col("compl").is_null()).then(pl.lit("parcel added"))
        .when(pl.col("compl_now").is_null()).then(pl.lit("parcel gone"))
        .when(pl.col("compl") != pl.col("compl_now")).then(pl.lit("compliance"))
    )  # fmt: skip
    told = joined.with_columns(change=change, before="compl_why", now="compl_why_now")
    return _finished(told.drop_nulls("change"))


def _of_events(before: Product, now: Product) -> pl.DataFrame:
    import polars as pl

    interval = pl.format("{} to {}", "first", "last")
    old = events_of(before).with_columns(before=interval)
    new = events_of(now).with_columns(now=interval).with_row_index("answer")
    answer = pl.Series("answer", _answers(old, new), pl.Int64).replace(-1, None)
    joined = old.with_columns(answer.cast(pl.UInt32)).join(
        new, on="answer", how="full", suffix="_now"
    )
    change = (
        pl.when(pl.col("before").is_null()).then(pl.lit("mowing added"))
        .when(pl.col("now").is_null()).then(pl.lit("mowing gone"))
        .when(pl.col("before") != pl.col("now")).then(pl.lit("mowing moved"))
    )  # fmt: skip
    told = joined.with_columns(pl.coalesce("NewID", "NewID_now").alias("NewID"), change=change)
    return _finished(told.drop_nulls("change"))


def _finished(told: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    named = told.with_columns(pl.coalesce("Ori_id_now", "Ori_id").alias("Ori_id"))
    return named.with_columns(pl.col("before", "now").fill_null("")).select(COLUMNS)


def _answers(old: pl.DataFrame, new: pl.DataFrame) -> NDArray[np.int64]:
    """Row of the new mowing that is the same as each old one, or -1."""
    import polars as pl

    from sen4cap.kernels.event_matching import match_events
    from sen4cap.kernels.mowing import mowings

    first, last, day = (new[name].cast(pl.Int32).to_numpy() for name in ("first", "last", "day"))
    found = mowings(new["NewID"].to_numpy(), first, last, day, new["probability"].to_numpy())
    return match_events(old["NewID"].to_numpy(), old["day"].cast(pl.Int32).to_numpy(), found, 0)

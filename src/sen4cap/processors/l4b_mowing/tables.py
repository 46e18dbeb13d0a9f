"""The tables of a mowing product: one row per parcel as the original's, one row per event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import polars as pl
from numpy.typing import NDArray

from sen4cap.kernels.mowing import Events, Kind, Seen
from sen4cap.processors.l4b_mowing.compliance import Verdict
from sen4cap.processors.l4b_mowing.detection import Detection

PLACES = 4
"""Events that have columns."""
NONE = "0"
"""Text where there is no event, as in the original."""
TIMES = {Seen.S2: "10:30:00", Seen.S1: "18:00:00"}
"""Time of day that the original gives to dates of a sensor."""
NAMES = {
    "NewID": "NewID",
    "ori_id": "Ori_id",
    "ori_hold": "Ori_hold",
    "ori_crop": "Ori_crop",
    "CTnum": "CTnum",
    "Area_meters": "Area_meter",
}
"""Columns of the declarations, and their names in the product."""
KINDS = np.array([kind.name.lower() for kind in Kind])


def parcel_table(
    parcels: gpd.GeoDataFrame,
    found: Detection,
    reason: NDArray[np.str_],
    verdict: Verdict,
) -> gpd.GeoDataFrame:
    """One row per parcel, in the order of `parcels`, with its geometry.

    Columns as in `NAMES`, `mow_n`, of each of four places `m1_dstart`, `m1_dend` (`YYYY-mm-dd
    HH:MM:SS`, "0" where there is no event), `m1_conf` (0-1) and `m1_mis` (S2, S1, S2/S1, S1/S2),
    `proc` (1 where it was judged), `compl`; then our own: `compl_why`, `reason`, `s2_dates`,
    `s1_pairs`. Of more than four mowings the most probable ones have places.
    """
    shown, place = _placed(found.events)
    table = parcels[list(NAMES)].rename(columns=NAMES)
    columns = pl.DataFrame(
        {
            "mow_n": np.bincount(shown.parcel, minlength=len(parcels)).astype(np.int32),
            **{
                name: values
                for number in range(PLACES)
                for name, values in _event_columns(number, shown, place, len(parcels)).items()
            },
            "proc": found.judged.astype(np.int32),
            "compl": verdict.code.astype(np.int32),
            "compl_why": verdict.sentence,
            "reason": reason,
            "s2_dates": found.dates.astype(np.int32),
            "s1_pairs": found.pairs.astype(np.int32),
        }
    ).to_pandas()
    columns.index = table.index
    return gpd.GeoDataFrame(table.join(columns), geometry=parcels.geometry, crs=parcels.crs)


def _placed(events: Events) -> tuple[Events, NDArray[np.int64]]:
    """Mowings that have a place, and the place of each, from 0 in order of time."""
    mown = events.take(events.kind == Kind.MOWING)
    order = np.lexsort((mown.first, -mown.probability, mown.parcel))
    rank = np.empty(len(order), np.int64)
    rank[order] = _within(mown.parcel)
    shown = mown.take(rank < PLACES)
    shown = shown.take(np.lexsort((shown.last, shown.first, shown.parcel)))
    return shown, _within(shown.parcel)


def _within(parcel: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of each row among those of its parcel; rows sorted by parcel."""
    return np.arange(len(parcel)) - np.searchsorted(parcel, parcel)


def _event_columns(
    number: int, shown: Events, place: NDArray[np.int64], parcels: int
) -> dict[str, Any]:
    here = shown.take(place == number)
    row = np.full(parcels, -1, np.int64)
    row[here.parcel] = np.arange(len(here.parcel))
    confidence = np.append(here.probability.astype(np.float64).round(3), 0.0)
    name = f"m{number + 1}"
    return {
        f"{name}_dstart": _spread(_instants(here.first, here.leading), row),
        f"{name}_dend": _spread(_instants(here.last, here.leading), row),
        f"{name}_conf": confidence[row],
        f"{name}_mis": _spread(missions(here), row),
    }


def _spread(texts: pl.Series, row: NDArray[np.int64]) -> pl.Series:
    """Texts of the rows, `NONE` where there is none (-1)."""
    return pl.concat([texts, pl.Series([NONE])]).gather(np.where(row < 0, len(texts), row))


def _instants(day: NDArray[np.int32], leading: NDArray[np.uint8]) -> pl.Series:
    dates = pl.Series(day, dtype=pl.Int32).cast(pl.Date).cast(pl.String)
    frame = pl.DataFrame({"date": dates, "leading": leading})
    time = pl.when(pl.col("leading") == int(Seen.S1)).then(pl.lit(TIMES[Seen.S1]))
    joined = pl.concat_str("date", time.otherwise(pl.lit(TIMES[Seen.S2])), separator=" ")
    return frame.select(joined).to_series()


def missions(events: Events) -> pl.Series:
    """Sensors of each event, the one that gives the dates first."""
    both = events.seen == (Seen.S2 | Seen.S1)
    code = np.where(both, 2, 0) + (events.leading == Seen.S1)
    return pl.Series(["S2", "S1", "S2/S1", "S1/S2"]).gather(code)


def event_table(parcels: gpd.GeoDataFrame, events: Events) -> pl.DataFrame:
    """One row per event, sorted by parcel and day, of all kinds and any number.

    Columns `NewID`, `Ori_id`, `event` (from 1), `kind`, `first`, `day`, `last` (dates, UTC),
    `probability` (of the rules: their confidence), `sensors`, `ndvi_drop`, `coherence_jump`
    (standard deviations); evidence is null where the sensor has none.
    """
    rows = pl.DataFrame(
        {
            "NewID": parcels["NewID"].to_numpy(np.int64)[events.parcel],
            "Ori_id": _identifiers(parcels["ori_id"].tolist(), events.parcel),
            "event": (_within(events.parcel) + 1).astype(np.int32),
            "kind": KINDS[events.kind],
            "first": events.first,
            "day": events.day,
            "last": events.last,
            "probability": events.probability,
            "sensors": missions(events),
            "ndvi_drop": events.drop,
            "coherence_jump": events.jump,
        }
    )
    return rows.with_columns(
        pl.col("first", "day", "last").cast(pl.Date),
        pl.col("ndvi_drop", "coherence_jump").fill_nan(None),
    )


def _identifiers(names: Sequence[str], position: NDArray[np.int64]) -> pl.Series:
    return pl.Series(names, dtype=pl.String).gather(position)

"""The mowing step: parcels and markers in, events and compliance out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import polars as pl
from numpy.typing import NDArray

from sen4cap.domain import Product, ProductType, Sensor
from sen4cap.errors import InvalidParameter, NoInput
from sen4cap.kernels.mowing import Kind
from sen4cap.kernels.mowing_rules import Period
from sen4cap.processing import Context, Step
from sen4cap.processing.homes import homeless, reading_places
from sen4cap.processing.marker_table import MarkerTable, acquisitions_of
from sen4cap.processing.parcel_series import Reader, markers_of
from sen4cap.processing.period import period_of
from sen4cap.processors.l4b_mowing.compliance import EPOCH, Verdict, judge
from sen4cap.processors.l4b_mowing.detection import Detection, Readers, detect_all, signals_of
from sen4cap.processors.l4b_mowing.monitored import monitored_parcels, why_not
from sen4cap.processors.l4b_mowing.outputs import write_all
from sen4cap.processors.l4b_mowing.params import (
    ID,
    VERSION,
    MowingParams,
    Sensors,
)
from sen4cap.processors.l4b_mowing.rules import parsed_rules
from sen4cap.processors.l4b_mowing.tables import event_table, parcel_table

REPORTED = ("parcels", "judged", "mowings", "reasons", "compliance", "searched")
"""Figures that stand in the catalog too."""


def run(ctx: Context, params: MowingParams, step: Step) -> Product:
    """The mowing product of the season.

    Raises
    ------
    NoInput
        If there are no parcels, none of them is monitored, or there are no markers of the sensors.
    InvalidParameter
        If the first day of detection comes after the last.
    """
    ctx.progress(0.0, "parcels")
    parcels = monitored_parcels(ctx.parcels.path, _lut(ctx), params)
    period = searched(ctx, params, step)
    places = {
        kind: reading_places(parcels, ctx.sensor_grids(kind)) for kind in (Sensor.S2, Sensor.S1)
    }
    readers = _readers(ctx, params, step.inputs, places)
    numbers = parcels["NewID"].to_numpy(np.int64)
    found = detect_all(
        readers,
        numbers,
        params,
        period,
        lambda share, text: ctx.progress(0.05 + 0.7 * share, text),
        ctx.cores,
    )
    result = _result(ctx, params, parcels, found, period, homeless(numbers, places))
    ctx.progress(0.8, "tables")
    return _written(ctx, params, step, result)


def searched(ctx: Context, params: MowingParams, step: Step) -> Period:
    """First and last day that are looked at, since 1970-01-01.

    Raises
    ------
    InvalidParameter
        If none is left between them.
    """
    _, end = period_of(step.slot)
    first = params.first_day or ctx.season.start
    last = min(params.last_day or ctx.season.end, end.astimezone(ctx.site.zone).date())
    if first > last:
        raise InvalidParameter(
            f"Detection would begin on {first} and end on {last}: change "
            "processor.s4c_l4b.start_date or end_date."
        )
    return (first - EPOCH).days, (last - EPOCH).days


@dataclass(frozen=True)
class _Result:
    parcels: gpd.GeoDataFrame
    found: Detection
    reason: NDArray[np.str_]
    verdict: Verdict
    period: Period


def _lut(ctx: Context) -> Path:
    if ctx.lut is None:
        raise NoInput(
            f"Site '{ctx.site.short_name}' has no crop look-up table for {ctx.season.year}: "
            "import one with 'sen4cap lpis import --lut'."
        )
    return ctx.lut


def _readers(
    ctx: Context,
    params: MowingParams,
    inputs: Sequence[Product],
    places: dict[Sensor, pl.DataFrame],
) -> Readers:
    table, seen = MarkerTable.of(ctx.archive, ctx.season), acquisitions_of(inputs)
    signals = signals_of(params)
    optical = Reader(table, seen, places[Sensor.S2], signals[0], keys=("parcel", "day"))
    radar = Reader(table, seen, places[Sensor.S1], signals[1])
    sensors = params.input_product_types
    chosen = Readers(
        optical if sensors is not Sensors.S1 and markers_of(table, optical.signals) else None,
        radar if sensors is not Sensors.S2 and markers_of(table, radar.signals) else None,
    )
    if chosen == (None, None):
        wanted = " or ".join((*optical.signals, *radar.signals))
        raise NoInput(
            f"Season '{ctx.season.name}' has no marker {wanted} for sensors {sensors}: "
            "run 'sen4cap run s4c_mdb1' first, with indices and coherence."
        )
    return chosen


def _result(
    ctx: Context,
    params: MowingParams,
    parcels: gpd.GeoDataFrame,
    found: Detection,
    period: Period,
    homeless: NDArray[np.bool_],
) -> _Result:
    given = parcels["reason"].to_numpy(str)
    reason = why_not(given, homeless, found.dates + found.pairs, found.judged)
    verdict = judge(
        parsed_rules(params.compliance),
        parcels["ori_crop"].to_numpy(str),
        found.events,
        found.judged,
        ctx.season.year,
        period,
    )
    return _Result(parcels, found, reason, verdict, period)


def _document(params: MowingParams, result: _Result) -> dict[str, Any]:
    events, reasons = result.found.events, Counter(result.reason.tolist())
    codes, counts = np.unique(result.verdict.code, return_counts=True)
    days = [date.fromordinal(EPOCH.toordinal() + day).isoformat() for day in result.period]
    return {
        "parcels": len(result.parcels),
        "judged": int(result.found.judged.sum()),
        "mowings": int((events.kind == Kind.MOWING).sum()),
        "reasons": {code: reasons[code] for code in sorted(reasons) if code},
        "compliance": {str(code): int(count) for code, count in zip(codes, counts, strict=True)},
        "searched": days,
        "parameters": params.model_dump(mode="json", by_alias=True),
    }


def _name(ctx: Context, step: Step) -> str:
    days = (f"{instant.astimezone(ctx.site.zone):%Y%m%d}" for instant in period_of(step.slot))
    return f"S2AGRI_S4C_L4B_PRD_S{ctx.site.short_name}_V{'_'.join(days)}_r{step.revision[:8]}"


def _written(ctx: Context, params: MowingParams, step: Step, result: _Result) -> Product:
    name, document = _name(ctx, step), _document(params, result)
    table = parcel_table(result.parcels, result.found, result.reason, result.verdict)
    events = event_table(result.parcels, result.found.events)
    folder = ctx.folder(ID, name, "VECTOR_DATA")
    start, end = period_of(step.slot)
    return Product(
        name=name,
        site=ctx.site.short_name,
        type=ProductType.L4B,
        grid="",
        season=ctx.season.name,
        start=start,
        end=end,
        revision=step.revision,
        assets=write_all(ctx, folder, params, table, events, document),
        footprint=ctx.site.footprint,
        processor=f"{ID}/{VERSION}",
        parents=tuple(product.name for product in step.inputs),
        properties={key: document[key] for key in REPORTED},
    )

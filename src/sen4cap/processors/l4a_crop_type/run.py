"""The crop type step: parcels and markers in, crop per parcel and its accuracy out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import polars as pl
from numpy.typing import NDArray

from sen4cap.domain import Product, ProductType, Reason, Sensor
from sen4cap.domain.product import VARIANT
from sen4cap.errors import InvalidParameter, NoInput
from sen4cap.processing import Context, Step
from sen4cap.processing.homes import parcel_homes
from sen4cap.processing.marker_table import MarkerTable, acquisitions_of
from sen4cap.processing.period import period_of
from sen4cap.processors.l4a_crop_type.changes import provenance_of
from sen4cap.processors.l4a_crop_type.decision import Decision, Evidence, decide
from sen4cap.processors.l4a_crop_type.declarations import declared_parcels, longitude_of, mark
from sen4cap.processors.l4a_crop_type.features import Features, Reading, season_features
from sen4cap.processors.l4a_crop_type.model import Sample, out_of_fold
from sen4cap.processors.l4a_crop_type.original_features import original_features
from sen4cap.processors.l4a_crop_type.outputs import Made, write_all
from sen4cap.processors.l4a_crop_type.params import ID, VERSION, CropTypeParams, Method, Mode
from sen4cap.processors.l4a_crop_type.scores import Judged, agreement, decided
from sen4cap.processors.l4a_crop_type.seen import Acquired, seen_of
from sen4cap.processors.l4a_crop_type.selection import choose, sample_of
from sen4cap.processors.l4a_crop_type.steps import variant_of
from sen4cap.processors.l4a_crop_type.table import Classes, crop_table, model_name

REPORTED = (
    *("overall_accuracy", "overall_accuracy_n", "overall_accuracy_interval"),
    *("overall_accuracy_by_area", "kappa", "kappa_interval", "macro_f1", "macro_f1_interval"),
    *("parcels", "lights", "reasons", "model"),
)
"""Figures that stand in the catalog too."""

SENSORS = {
    Mode.BOTH: (Sensor.S2, Sensor.S1),
    Mode.S2_ONLY: (Sensor.S2,),
    Mode.S1_ONLY: (Sensor.S1,),
}


def run(ctx: Context, params: CropTypeParams, step: Step) -> Product:
    """The crop type product of the season.

    Raises
    ------
    NoInput
        If there are no parcels, no crop look-up table or no markers, or fewer than two crops
        that are common enough to learn.
    InvalidParameter
        If the parcels lie in fewer blocks than there are folds, or the learner diverged.
    """
    prepared = prepare(ctx, params, step.inputs)
    probability = out_of_fold(
        prepared.sample,
        params,
        ctx.cores,
        lambda share, text: ctx.progress(0.3 + 0.6 * share, text),
    )
    sample = prepared.sample
    decision = decide(Evidence(probability, sample.target, sample.fold, sample.teaches), params)
    ctx.progress(0.9, "tables")
    document = {
        **_document(params, prepared, decision),
        "provenance": provenance_of(ctx, params, step).as_json(),
    }
    return _written(ctx, params, step, prepared, decision, document)


@dataclass(frozen=True)
class Looked:
    """Parcels and what was seen of them."""

    parcels: gpd.GeoDataFrame
    """All declared parcels, sorted by `NewID`; `reason` is empty for those that were looked at."""
    looked_at: NDArray[np.bool_]
    """Which of them have a row in `features`, in the order of both, shape (parcels,)."""
    homes: pl.DataFrame
    """Of those: `parcel`, `geom_hash`, `grid`."""
    features: Features
    """Of those."""


@dataclass(frozen=True)
class Prepared(Looked):
    """What the learner gets, and what became of the other parcels.

    `reason` is empty for the parcels of the sample only.
    """

    sample: Sample
    """The parcels to judge, in the order of `parcels`."""
    classes: Classes
    """Code and name of each class of the sample."""


def look(ctx: Context, params: CropTypeParams, inputs: Sequence[Product]) -> Looked:
    """Parcels that could be judged, and features of the acquisitions of `inputs`.

    Raises
    ------
    NoInput
        If there are no parcels, no crop look-up table or no markers.
    """
    ctx.progress(0.0, "parcels")
    parcels = declared_parcels(ctx.parcels.path, _lut(ctx), params.lc)
    homes = _homes(ctx, params, parcels)
    parcels["reason"] = _located(parcels, homes)
    candidate = (parcels["reason"] == "").to_numpy(bool)
    candidates = parcels[candidate]
    ctx.progress(0.1, "features")
    numbers = pl.DataFrame({"parcel": candidates["NewID"].to_numpy(np.int64)})
    near = homes.join(numbers, on="parcel", how="semi")
    features = _features(ctx, params, inputs, near, longitude_of(candidates))
    return Looked(parcels, candidate, near, features)


def prepare(ctx: Context, params: CropTypeParams, inputs: Sequence[Product]) -> Prepared:
    """Parcels, features of the acquisitions of `inputs`, and folds; errors as in `run`."""
    looked = look(ctx, params, inputs)
    candidates = looked.parcels[looked.looked_at]
    chosen = choose(candidates["CT_decl"].to_numpy(np.int64), looked.features, params)
    looked.parcels.loc[looked.looked_at, "reason"] = chosen.reason
    sample, classes = sample_of(candidates, looked.features, chosen, params)
    return Prepared(**vars(looked), sample=sample, classes=classes)


def _lut(ctx: Context) -> Path:
    if ctx.lut is None:
        raise NoInput(
            f"Site '{ctx.site.short_name}' has no crop look-up table for {ctx.season.year}: "
            "import one with 'sen4cap lpis import --lut'."
        )
    return ctx.lut


def _homes(ctx: Context, params: CropTypeParams, parcels: gpd.GeoDataFrame) -> pl.DataFrame:
    """Homes of the parcels on the grids that count."""
    grids = [grid for sensor in SENSORS[params.mode] for grid in ctx.sensor_grids(sensor)]
    homes = parcel_homes(parcels, grids)
    if not params.grids:
        return homes
    if unknown := params.grids - {grid.name for grid in grids}:
        known = ", ".join(sorted({grid.name for grid in grids})) or "none"
        raise InvalidParameter(
            f"processor.{ID}.tiles names {', '.join(sorted(unknown))}, of which there is no "
            f"grid; there are: {known}."
        )
    return homes.filter(pl.col("grid").is_in(list(params.grids)))


def _located(parcels: gpd.GeoDataFrame, homes: pl.DataFrame) -> NDArray[np.str_]:
    """Reasons of the parcels, with those that lie on no grid marked."""
    somewhere = np.isin(parcels["NewID"].to_numpy(np.int64), homes["parcel"].to_numpy())
    reason = mark(parcels["reason"].to_numpy(str), ~somewhere, Reason.OUTSIDE_GRID)
    if (reason != "").all():
        counts = ", ".join(f"{code} {count}" for code, count in sorted(Counter(reason).items()))
        raise NoInput(
            f"No parcel can be judged ({counts or 'there is none'}): "
            "check the parcels, the crop look-up table and the rasters."
        )
    return reason


def _features(
    ctx: Context,
    params: CropTypeParams,
    inputs: Sequence[Product],
    homes: pl.DataFrame,
    longitude: float,
) -> Features:
    reading = Reading(
        table=MarkerTable.of(ctx.archive, ctx.season),
        season=ctx.season,
        acquisitions=acquisitions_of(inputs),
        homes=homes,
        optical=frozenset(grid.name for grid in ctx.sensor_grids(Sensor.S2)),
        sensors=SENSORS[params.mode],
        longitude=longitude,
    )
    if params.method is Method.SEN4CAP:
        return original_features(reading)
    features = season_features(reading)
    return features.without_radar(features.radar_pixels < params.min_s1_pix)


def _document(params: CropTypeParams, prepared: Prepared, decision: Decision) -> dict[str, Any]:
    parcels, sample, classes = prepared.parcels, prepared.sample, prepared.classes
    left_out = (parcels["reason"] != "").to_numpy(bool)
    judged = Judged(
        declared=sample.target,
        probability=decision.probability,
        area=parcels.loc[~left_out, "Area_meters"].to_numpy(float),
        pixels=prepared.features.pixels[~left_out[prepared.looked_at]],
    )
    return {
        "model": model_name(params),
        **agreement(judged, classes, Counter(parcels.loc[left_out, "reason"])),
        **decided(decision, judged, classes),
        "training_parcels": int(sample.teaches.sum()),
        "features": len(prepared.features.names),
        "stale_observations_left_out": prepared.features.stale,
        "parcels_per_fold": np.bincount(sample.fold, minlength=params.folds).tolist(),
        "parameters": params.model_dump(mode="json", by_alias=True),
    }


def _name(ctx: Context, step: Step) -> str:
    days = (f"{instant.astimezone(ctx.site.zone):%Y%m%d}" for instant in period_of(step.slot))
    return f"S2AGRI_S4C_L4A_PRD_S{ctx.site.short_name}_V{'_'.join(days)}_r{step.revision[:8]}"


def _written(
    ctx: Context,
    params: CropTypeParams,
    step: Step,
    prepared: Prepared,
    decision: Decision,
    document: dict[str, Any],
) -> Product:
    name = _name(ctx, step)
    made = _made(ctx, params, step, prepared, decision, document)
    folder = ctx.folder(ID, name, "VECTOR_DATA")
    start, end = period_of(step.slot)
    return Product(
        name=name,
        site=ctx.site.short_name,
        type=ProductType.L4A,
        grid="",
        season=ctx.season.name,
        start=start,
        end=end,
        revision=step.revision,
        assets=write_all(ctx, folder, made, params, step.revision),
        footprint=ctx.site.footprint,
        processor=f"{ID}/{VERSION}",
        parents=tuple(product.name for product in step.inputs),
        properties={
            **{key: document[key] for key in REPORTED},
            **({VARIANT: variant_of(params)} if params.grids else {}),
        },
    )


def _made(
    ctx: Context,
    params: CropTypeParams,
    step: Step,
    prepared: Prepared,
    decision: Decision,
    document: dict[str, Any],
) -> Made:
    parcels, sample, classes = prepared.parcels, prepared.sample, prepared.classes
    acquired = Acquired(
        MarkerTable.of(ctx.archive, ctx.season),
        acquisitions_of(step.inputs),
        prepared.homes,
        SENSORS[params.mode],
    )
    seen = seen_of(
        parcels,
        prepared.features,
        prepared.looked_at,
        ctx.grids,
        acquired,
        params.min_s1_pix,
    )
    table = crop_table(parcels, seen, decision, sample, classes, params)
    taught = Counter(classes[place][0] for place in sample.target[sample.teaches].tolist())
    return Made(table, document, classes, taught, _lut(ctx))

"""Processors that make radar backscatter and coherence with ESA SNAP.

They do nothing until the setting `program` names SNAP's `gpt`. What they make lies on a grid of
its own; `app.radar` brings it to the tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sen4cap.acquisition.backends import snap
from sen4cap.acquisition.backends.program import located, run_program
from sen4cap.app.backends import (
    CATEGORY,
    POOL,
    RAW,
    Work,
    fetched,
    log_asset,
    made_by,
    program_parameter,
    safe_of,
    slot_at,
)
from sen4cap.domain import Asset, Product, ProductType, Role
from sen4cap.errors import InputRefused
from sen4cap.processing import Context, Params, Processor, Scope, Step, parameter
from sen4cap.processing.acquisition import acquisition_properties
from sen4cap.processing.processor import Select


class SnapParams(Params):
    """Where SNAP is and how much of the machine it may use."""

    program: str = program_parameter("SNAP", "the program 'gpt'")
    polarisations: str = parameter(
        "VV,VH", title="Polarisations", description="Comma list of the polarisations to make."
    )
    cache: int = parameter(
        4096,
        title="Cache",
        description="Memory for the tiles of images.",
        unit="MB",
        advanced=True,
        ge=256,
        le=65536,
    )


def select_backscatter(
    params: SnapParams, scope: Scope, products: Sequence[Product]
) -> tuple[Step, ...]:
    """One step per SLC image."""
    found = fetched(products, ProductType.SLC, scope) if params.program else []
    return tuple(Step((item,), slot_at(scope, ProductType.S1_AMP, item)) for item in found)


def select_coherence(
    params: SnapParams, scope: Scope, products: Sequence[Product]
) -> tuple[Step, ...]:
    """One step per SLC image that has an earlier one 6 or 12 days before."""
    if not params.program:
        return ()
    found = fetched(products, ProductType.SLC, scope)
    pairs = ((item, snap.earlier_of(item, found)) for item in found)
    return tuple(
        Step(
            tuple(sorted((item, *earlier[:1]), key=lambda one: one.name)),
            slot_at(scope, ProductType.S1_COHE, item),
        )
        for item, earlier in pairs
        if earlier
    )


def run_snap(kind: ProductType, ctx: Context, params: SnapParams, step: Step) -> Product:
    """Make backscatter of an image or coherence of a pair, on a grid of its own UTM zone."""
    *earlier, later = sorted(step.inputs, key=lambda item: item.start)
    by = s1_amp_snap if kind is ProductType.S1_AMP else s1_cohe_snap
    program = located(params.program, f"processor.{by.id}.program")
    code = "BCK" if kind is ProductType.S1_AMP else "COH"
    name = f"{_name(code, earlier, later)}_{later.grid}_r{step.revision[:8]}"

    def make(work: Work) -> Path:
        for pol in _polarisations(params):
            target = work.hidden / f"{_name(code, earlier, later, pol)}.tif"
            path = work.hidden / f"{code}_{pol}.xml"
            path.write_bytes(_graph(earlier, later, target, pol))
            command = snap.arguments(program, path, params.cache, ctx.cores)
            run_program(command, work.log, work.hidden)
            if not target.exists():
                raise InputRefused(f"SNAP wrote no raster ('{work.log}' has all it said).")
        return work.hidden

    folder, log = made_by(ctx, kind, name, make, by)
    return Product(
        name=name,
        site=ctx.site.short_name,
        type=kind,
        grid=later.grid,
        start=later.start,
        end=later.start,
        revision=step.revision,
        assets=(Asset(RAW, str(folder), Role.DATA, "application/x-directory"), log_asset(log)),
        footprint=later.footprint,
        processor=by.tag,
        parents=tuple(item.name for item in step.inputs),
        properties=_radar_properties(earlier, later),
    )


def _radar_properties(earlier: Sequence[Product], later: Product) -> dict[str, object]:
    days = [(later.start.date() - item.start.date()).days for item in earlier]
    pair = {"sen4cap:baseline_days": days[0]} if days else {}
    return {**acquisition_properties([later]), **pair}


def _graph(earlier: Sequence[Product], later: Product, target: Path, pol: str) -> bytes:
    crs = snap.utm_of(later.footprint or "")
    if not earlier:
        return snap.backscatter_graph(safe_of(later), target, pol, crs)
    return snap.coherence_graph(safe_of(earlier[0]), safe_of(later), target, pol, crs)


def _polarisations(params: SnapParams) -> list[str]:
    return [name.strip().upper() for name in params.polarisations.split(",") if name.strip()]


def _name(code: str, earlier: Sequence[Product], later: Product, pol: str = "") -> str:
    """Name as the original's second scheme has it, without a tile."""
    platform = str(later.properties.get("platform", "sentinel-1x"))
    days = "_".join(f"{item.start:%Y%m%dT%H%M%S}" for item in (*earlier, later))
    orbit = f"{int(later.properties.get(snap.ORBIT, 0)):03d}"
    mission = f"S{platform.removeprefix('sentinel-').upper()}"
    return "_".join(filter(None, (mission, "L2", code, days, pol, orbit)))


def _processor(
    kind: ProductType, name: str, title: str, description: str, select: Select
) -> Processor:
    return Processor(
        id=name,
        version="1",
        title=title,
        description=description,
        category=CATEGORY,
        params=SnapParams,
        consumes=(ProductType.SLC,),
        produces=kind,
        needs_parcels=False,
        per_season=False,
        select=select,
        run=partial(run_snap, kind),
        pool=POOL,
        triggered_by=(ProductType.SLC,),
    )


s1_amp_snap = _processor(
    ProductType.S1_AMP,
    "s1_amp_snap",
    "Backscatter by SNAP",
    "Makes radar backscatter (gamma0) of complex images with SNAP.",
    select_backscatter,
)
s1_cohe_snap = _processor(
    ProductType.S1_COHE,
    "s1_cohe_snap",
    "Coherence by SNAP",
    "Makes radar coherence of pairs of complex images, 6 or 12 days apart, with SNAP.",
    select_coherence,
)

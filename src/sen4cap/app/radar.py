"""Radar rasters on the grids of the tiles: for `product ingest`, and as processors after fetching.

What a source delivers of radar lies on grids of its own, a burst or a frame at a time. The
processors `s1_amp_grid` and `s1_cohe_grid` mosaic what was fetched of a pass, per tile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sen4cap.domain import Product, ProductType, slot_of
from sen4cap.errors import EmptyLayer
from sen4cap.processing import Context, Params, Processor, Progress, Scope, Step, parameter

if TYPE_CHECKING:
    from sen4cap.app.system import System
    from sen4cap.domain.found import Found, Skipped

RAW = "product"
"""Asset of a product that is a folder, as it was fetched."""


def discover_prepared(
    system: System, site: str, folder: Path, progress: Progress, **how: Any
) -> list[Found | Skipped]:
    """As `sources.discover`, once the radar rasters of a folder are brought to the radar grids.

    They go into the archive, `<archive>/<site>/<product type>/<product>`; the tiles are those
    that the site meets.
    """
    from sen4cap.geo.mgrs import tiles_over
    from sen4cap.sources import discover, radar

    if not folder.is_dir() or not radar.loose(folder):
        return discover(folder, progress=progress, **how)
    place = system.store.sites.get(site)
    tiles = () if place.footprint is None else tiles_over(place.footprint)
    target = system.settings.archive_root / place.short_name
    made = radar.prepare(folder, target, tiles, progress)
    if not made:
        raise EmptyLayer(f"The radar rasters in '{folder}' show nothing of the site.")
    return [item for path in made for item in discover(path, **how)]


class GridParams(Params):
    """Which tiles radar is brought to."""

    tiles: str = parameter(
        "",
        title="Tiles",
        description="Comma list of the tiles that radar is brought to; empty is all it meets.",
    )

    @property
    def chosen(self) -> frozenset[str]:
        """Names of the tiles; empty is all."""
        return frozenset(name.strip().removeprefix("T") for name in self.tiles.split(",") if name)


def select(
    kind: ProductType, params: GridParams, scope: Scope, products: Sequence[Product]
) -> tuple[Step, ...]:
    """One step per pass and tile that what was fetched meets."""
    raw = [
        item
        for item in products
        if item.type is kind
        and any(asset.name == RAW for asset in item.assets)
        and scope.start <= item.start < scope.end
    ]
    steps = [
        Step(tuple(sorted(inputs, key=lambda item: item.name)), _slot(kind, scope, tile, inputs))
        for group in _passes(raw)
        for tile, inputs in _by_tile(group, params.chosen)
    ]
    return tuple(sorted(steps, key=lambda step: step.slot))


def _slot(kind: ProductType, scope: Scope, tile: str, inputs: Sequence[Product]) -> str:
    start = min(item.start for item in inputs)
    days = inputs[0].properties.get("sen4cap:baseline_days")
    variant = f"{days}d" if kind is ProductType.S1_COHE else ""
    return slot_of(scope.site, kind, tile, start, start, variant=variant)


def _passes(raw: Sequence[Product]) -> Iterator[list[Product]]:
    """Products of one satellite and relative orbit whose times are near each other."""
    from sen4cap.sources.radar import PASS

    series: dict[tuple[str, ...], list[Product]] = defaultdict(list)
    for item in raw:
        told = item.properties
        keys = ("platform", "sat:relative_orbit", "sen4cap:baseline_days")
        series[tuple(str(told.get(key, "")) for key in keys)].append(item)
    for key in sorted(series):
        run: list[Product] = []
        for item in sorted(series[key], key=lambda item: (item.start, item.name)):
            if run and item.start - run[-1].start > PASS:
                yield run
                run = []
            run.append(item)
        yield run


def _by_tile(
    group: Sequence[Product], chosen: frozenset[str]
) -> Iterator[tuple[str, list[Product]]]:
    from sen4cap.geo.mgrs import tiles_over

    tiles: dict[str, list[Product]] = defaultdict(list)
    for item in group:
        for tile in tiles_over(item.footprint) if item.footprint else ():
            if not chosen or tile in chosen:
                tiles[tile].append(item)
    yield from sorted(tiles.items())


def run(kind: ProductType, ctx: Context, _params: GridParams, step: Step) -> Product:
    """Mosaic a pass onto a tile; all polarisations appear together.

    Raises
    ------
    EmptyLayer
        If nothing of the tile was seen.
    UnreadableFile
        If a raster cannot be read.
    """
    from sen4cap.acquisition import radiometry_of, to_product
    from sen4cap.domain.found import Found
    from sen4cap.sources import discover, radar

    tile = step.slot.split("/")[2]
    found = [raster for item in step.inputs for raster in radar.loose(Path(item.asset(RAW).href))]
    if not found:
        raise EmptyLayer(f"'{step.inputs[0].name}' holds no radar raster: fetch it again.")
    folder = radar.on_tile(found, tile, ctx.archive / ctx.site.short_name)
    (made,) = (item for item in discover(folder) if isinstance(item, Found))
    start = min(item.start for item in step.inputs)
    return replace(
        to_product(made, ctx.site.short_name, radiometry_of(made, None)),
        name=f"{made.name}_r{step.revision[:8]}",
        start=start,
        end=start,
        revision=step.revision,
        processor=PROCESSORS[kind].tag,
        parents=tuple(item.name for item in step.inputs),
    )


def _processor(kind: ProductType, name: str, title: str) -> Processor:
    return Processor(
        id=f"{name}_grid",
        version="1",
        title=f"{title} on the tiles",
        description=f"Mosaics fetched {title.lower()} of each pass onto the 20 m grid of the "
        "tiles, in linear power.",
        category="L2A",
        params=GridParams,
        consumes=(kind,),
        produces=kind,
        needs_parcels=False,
        per_season=False,
        select=partial(select, kind),
        run=partial(run, kind),
        triggered_by=(kind,),
    )


s1_amp_grid = _processor(ProductType.S1_AMP, "s1_amp", "Radar backscatter")
s1_cohe_grid = _processor(ProductType.S1_COHE, "s1_cohe", "Radar coherence")
PROCESSORS = {ProductType.S1_AMP: s1_amp_grid, ProductType.S1_COHE: s1_cohe_grid}

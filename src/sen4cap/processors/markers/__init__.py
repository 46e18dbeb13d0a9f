"""Markers: statistics of index and band rasters per parcel and date. See README.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sen4cap.domain import Asset, Product, ProductType, slot_of
from sen4cap.kernels.indices import INDICES
from sen4cap.processing import Context, Params, Processor, Scope, Step, parameter

if TYPE_CHECKING:
    from sen4cap.processing.classification import Validity

NAMED_INDICES = ("ndvi", "lai", "fapar", "fcover", "ndwi", "brightness")
BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


def _switch(what: str, key: str, *, default: bool = False) -> bool:
    enabled: bool = parameter(
        default, title=f"{what} markers", description=f"Extract {what} markers.", key=key
    )
    return enabled


class MarkersParams(Params):
    """Which rasters are reduced to statistics, and over which part of the parcels."""

    ndvi_enabled: bool = _switch("NDVI", "ndvi_enabled", default=True)
    lai_enabled: bool = _switch("LAI", "lai_enabled", default=True)
    fapar_enabled: bool = _switch("FAPAR", "fapar_enabled", default=True)
    fcover_enabled: bool = _switch("FCOVER", "fcover_enabled", default=True)
    ndwi_enabled: bool = _switch("NDWI", "ndwi_enabled")
    brightness_enabled: bool = _switch("brightness", "brightness_enabled")
    other_indices_enabled: bool = _switch("all other index", "other_indices_enabled")
    l2ab02_enabled: bool = _switch("reflectance B02", "l2ab02_enabled")
    l2ab03_enabled: bool = _switch("reflectance B03", "l2ab03_enabled")
    l2ab04_enabled: bool = _switch("reflectance B04", "l2ab04_enabled")
    l2ab05_enabled: bool = _switch("reflectance B05", "l2ab05_enabled")
    l2ab06_enabled: bool = _switch("reflectance B06", "l2ab06_enabled")
    l2ab07_enabled: bool = _switch("reflectance B07", "l2ab07_enabled")
    l2ab08_enabled: bool = _switch("reflectance B08", "l2ab08_enabled")
    l2ab8a_enabled: bool = _switch("reflectance B8A", "l2ab8a_enabled")
    l2ab11_enabled: bool = _switch("reflectance B11", "l2ab11_enabled")
    l2ab12_enabled: bool = _switch("reflectance B12", "l2ab12_enabled")
    buffer: float = parameter(
        0.0,
        title="Inner buffer",
        description="Width of the rim of each parcel that is left out.",
        unit="m",
        advanced=True,
        ge=0,
        le=50,
    )

    cloud_dilation: float = parameter(
        0.0,
        title="Cloud dilation",
        description="Width by which clouds and their shadows are grown to all sides where bands of "
        "L2A products are extracted.",
        unit="m",
        advanced=True,
        ge=0,
        le=500,
    )

    @property
    def indices(self) -> tuple[str, ...]:
        """Assets of L3B products that are wanted."""
        named = (name for name in NAMED_INDICES if getattr(self, f"{name}_enabled"))
        others = (name for name in INDICES if name not in NAMED_INDICES)
        return (*named, *(others if self.other_indices_enabled else ()))

    @property
    def bands(self) -> tuple[str, ...]:
        """Assets of L2A products that are wanted."""
        return tuple(band for band in BANDS if getattr(self, f"l2a{band.lower()}_enabled"))


@dataclass(frozen=True)
class Layer:
    """A raster that becomes a marker."""

    marker: str
    """`ndvi`, `b04`: the name of the asset in small letters."""
    product: Product
    asset: Asset
    validity: Validity | None
    """Masks of its product; None where the raster's own nodata says all."""


def layers(params: MarkersParams, products: Iterable[Product]) -> tuple[Layer, ...]:
    """The wanted rasters of the products of one acquisition, sorted by marker."""
    from sen4cap.processing.classification import validity_of

    found = {}
    for product in sorted(products, key=lambda item: item.name):
        is_l3b = product.type == ProductType.L3B
        wanted = params.indices if is_l3b else params.bands
        seen = None if is_l3b else validity_of(product, params.cloud_dilation)
        for asset in product.assets:
            if asset.name in wanted:
                marker = asset.name.lower()
                found[marker] = Layer(marker, product, asset, seen)
    return tuple(found[marker] for marker in sorted(found))


def select(params: MarkersParams, scope: Scope, products: Sequence[Product]) -> Sequence[Step]:
    """One step per grid and acquisition of the season that has a wanted raster."""
    acquisitions = defaultdict(list)
    for item in sorted(products, key=lambda item: item.name):
        if scope.start <= item.start < scope.end and layers(params, [item]):
            slot = slot_of(
                scope.site, ProductType.MARKERS, item.grid, item.start, item.end, scope.season
            )
            acquisitions[slot].append(item)
    return tuple(Step(tuple(acquisitions[slot]), slot) for slot in sorted(acquisitions))


def run(ctx: Context, params: MarkersParams, step: Step) -> Product:
    """Extract what is new or changed of one acquisition into the marker table of the season."""
    from sen4cap.processors.markers.extraction import Extraction, extract

    first = step.inputs[0]
    tag = f"{first.start:%Y%m%dT%H%M%S}_T{first.grid}"
    wanted = layers(params, step.inputs)
    task = Extraction(wanted, params.buffer, processor.tag, tag, step.previous)
    assets, properties = extract(ctx, task)
    return Product(
        name=f"SEN4CAP_MDB1_S{ctx.site.short_name}_A{tag}_r{step.revision[:8]}",
        site=ctx.site.short_name,
        type=ProductType.MARKERS,
        grid=first.grid,
        season=ctx.season.name,
        start=first.start,
        end=first.end,
        revision=step.revision,
        assets=assets,
        footprint=first.footprint,
        processor=processor.tag,
        parents=tuple(item.name for item in step.inputs),
        properties=properties,
    )


def finish(ctx: Context, _params: MarkersParams) -> None:
    """Compact the tables of the season, once enough files have arrived."""
    from sen4cap.processing.marker_table import MarkerTable

    table = MarkerTable.of(ctx.archive, ctx.season)
    for marker in table.markers():
        table.compact(marker)


processor = Processor(
    id="s4c_mdb1",
    version="1",
    title="Markers (parcel statistics)",
    description="Mean, standard deviation and valid pixels of each index or band raster per "
    "parcel, with exact coverage of the pixels.",
    category="Marker DB",
    params=MarkersParams,
    consumes=(ProductType.L3B, ProductType.L2A),
    produces=ProductType.MARKERS,
    needs_parcels=True,
    select=select,
    run=run,
    finish=finish,
    triggered_by=(ProductType.L3B,),
)

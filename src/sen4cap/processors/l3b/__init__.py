"""L3B: vegetation indices of one acquisition, as rasters. See README.md."""

from __future__ import annotations

from collections.abc import Sequence

from sen4cap.domain import Product, ProductType, slot_of
from sen4cap.kernels.indices import INDICES, SpectralIndex
from sen4cap.processing import Context, Params, Processor, Scope, Step, parameter
from sen4cap.processing.acquisition import acquisition_properties


def _switch(name: str, *, default: bool = False) -> bool:
    index = INDICES[name]
    produce: bool = parameter(
        default,
        title=f"Produce {index.title}",
        description=f"Write the {index.title} raster of each acquisition ({index.reference}).",
        key=f"filter.produce_{name}",
    )
    return produce


class L3bParams(Params):
    """Which indices are made, and of which tiles."""

    produce_ndvi: bool = _switch("ndvi", default=True)
    produce_ndwi: bool = _switch("ndwi")
    produce_brightness: bool = _switch("brightness")
    produce_tndvi: bool = _switch("tndvi")
    produce_rvi: bool = _switch("rvi")
    produce_savi: bool = _switch("savi")
    produce_tsavi: bool = _switch("tsavi")
    produce_msavi: bool = _switch("msavi")
    produce_msavi2: bool = _switch("msavi2")
    produce_gemi: bool = _switch("gemi")
    produce_ipvi: bool = _switch("ipvi")
    produce_rdvi: bool = _switch("rdvi")
    produce_ndwi2: bool = _switch("ndwi2")
    produce_mndwi: bool = _switch("mndwi")
    produce_ndti: bool = _switch("ndti")
    produce_redness: bool = _switch("redness")
    produce_colorindex: bool = _switch("colorindex")
    produce_brightness2: bool = _switch("brightness2")
    produce_ndre: bool = _switch("ndre")
    produce_ndii: bool = _switch("ndii")
    tiles_filter: str = parameter(
        "",
        title="Tiles",
        description="Comma list of the tiles or series to which L3B is limited; empty is all.",
        key="lai.tiles_filter",
    )
    cloud_dilation: float = parameter(
        0.0,
        title="Cloud dilation",
        description="Width by which clouds and their shadows are grown to all sides.",
        unit="m",
        key="filter.cloud_dilation",
        advanced=True,
        ge=0,
        le=500,
    )

    @property
    def indices(self) -> tuple[SpectralIndex, ...]:
        """The indices that are switched on."""
        return tuple(item for name, item in INDICES.items() if getattr(self, f"produce_{name}"))

    @property
    def tiles(self) -> frozenset[str]:
        """Names of the tiles, without a leading `T`; empty is all."""
        names = (name.strip() for name in self.tiles_filter.split(","))
        return frozenset(_tile(name) for name in names if name)


def _tile(name: str) -> str:
    """`31UDS` of `T31UDS` and `t31uds`; other names as they are."""
    code = name.upper().removeprefix("T")
    is_tile = len(code) == 5 and code[:2].isdigit() and code[2:].isalpha()
    return code if is_tile else name


def select(params: L3bParams, scope: Scope, products: Sequence[Product]) -> Sequence[Step]:
    """One step per L2A product of the season and the tiles that has the bands of an index."""
    return tuple(
        Step((item,), slot_of(scope.site, ProductType.L3B, item.grid, item.start, item.end))
        for item in sorted(products, key=lambda item: item.name)
        if item.type == ProductType.L2A
        and scope.start <= item.start < scope.end
        and (not params.tiles or _tile(item.grid) in params.tiles)
        and _possible(params, item)
    )


def _possible(params: L3bParams, product: Product) -> tuple[SpectralIndex, ...]:
    """The indices that are switched on and whose bands the product has."""
    bands = {asset.name for asset in product.assets}
    return tuple(index for index in params.indices if bands.issuperset(index.bands))


def run(ctx: Context, params: L3bParams, step: Step) -> Product:
    """Write the indices of one L2A product; all files appear together, or none does."""
    from sen4cap.processing.classification import validity_of
    from sen4cap.processors.l3b import rasters

    (source,) = step.inputs
    tag = f"A{source.start:%Y%m%dT%H%M%S}_T{source.grid}_r{step.revision[:8]}"
    name = f"S2AGRI_L3B_PRD_S{ctx.site.short_name}_{tag}"
    validity = validity_of(source, params.cloud_dilation)
    assets, found = rasters.write(ctx, source, validity, _possible(params, source), name, tag)
    carried = acquisition_properties([source])
    return Product(
        name=name,
        site=ctx.site.short_name,
        type=ProductType.L3B,
        grid=source.grid,
        start=source.start,
        end=source.end,
        revision=step.revision,
        assets=assets,
        footprint=source.footprint,
        processor=processor.tag,
        parents=(source.name,),
        properties={**carried, **found},
    )


processor = Processor(
    id="l3b",
    version="2",
    title="Vegetation indices",
    description="Spectral indices of each optical acquisition, masked by its validity, as "
    "cloud-optimised GeoTIFFs.",
    category="L3B",
    params=L3bParams,
    consumes=(ProductType.L2A,),
    produces=ProductType.L3B,
    needs_parcels=False,
    per_season=False,
    select=select,
    run=run,
    triggered_by=(ProductType.L2A,),
)

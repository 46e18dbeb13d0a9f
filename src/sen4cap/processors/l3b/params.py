"""What L3B can be told: which variables it makes, of which tiles, and how."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from sen4cap.kernels.variables import TABLE
from sen4cap.processing import Params, parameter
from sen4cap.processing.networks import Model


class Resolution(IntEnum):
    """Pixel of the rasters, metres."""

    FINE = 10
    COARSE = 20


class Storage(StrEnum):
    """How values are held."""

    INT16 = "int16"
    """In steps of a thousandth, as in the original; -10000 is missing."""
    FLOAT32 = "float32"
    """As computed; NaN is missing."""


def _switch(name: str, *, default: bool = False) -> bool:
    item = TABLE[name]
    produce: bool = parameter(
        default,
        title=f"Produce {item.title}",
        description=f"Write the {item.title} raster of each acquisition ({item.reference}).",
        key=f"filter.produce_{name}",
    )
    return produce


class L3bParams(Params):
    """Which variables are made, and of which tiles."""

    produce_ndvi: bool = _switch("ndvi", default=True)
    produce_lai: bool = _switch("lai", default=True)
    produce_fapar: bool = _switch("fapar", default=True)
    produce_fcover: bool = _switch("fcover", default=True)
    produce_ccc: bool = _switch("ccc")
    produce_cwc: bool = _switch("cwc")
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
    produce_in_domain_flags: bool = parameter(
        default=False,
        title="Produce flags per variable",
        description="Write what is doubtful in each biophysical variable as a raster of its own, "
        "besides the one of all together.",
        key="filter.produce_in_domain_flags",
    )
    model: Model = parameter(
        Model.S2TOOLBOX,
        title="Networks",
        description="Family of networks for biophysical variables: those of SNAP 3.0 with all "
        "bands or with three, those of SNAP 2.1, or one of the original's two sets.",
        key="lai.model",
    )
    resolution: Resolution = parameter(
        Resolution.FINE,
        title="Resolution",
        description="Pixel of the rasters: 10 is that of the finest band, coarser ones are taken "
        "by nearest neighbour; 20 averages the bands that are finer.",
        unit="m",
        key="resolution",
        ge=10,
        le=20,
    )
    storage: Storage = parameter(
        Storage.INT16,
        title="Storage",
        description="Type of the values in the rasters: the original's scaled integers, or floats.",
        key="storage",
        advanced=True,
    )
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
    def wanted(self) -> tuple[str, ...]:
        """Ids of the variables that are switched on."""
        return tuple(name for name in TABLE if getattr(self, f"produce_{name}"))

    @property
    def tiles(self) -> frozenset[str]:
        """Names of the tiles, without a leading `T`; empty is all."""
        names = (name.strip() for name in self.tiles_filter.split(","))
        return frozenset(tile_code(name) for name in names if name)


def tile_code(name: str) -> str:
    """`31UDS` of `T31UDS` and `t31uds`; other names as they are."""
    code = name.upper().removeprefix("T")
    is_tile = len(code) == 5 and code[:2].isdigit() and code[2:].isalpha()
    return code if is_tile else name

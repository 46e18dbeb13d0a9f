"""Parameters of the markers: which are made, of which pixels, and which statistics they have."""

from __future__ import annotations

from enum import StrEnum

from sen4cap.domain import PixelRule
from sen4cap.kernels.indices import INDICES
from sen4cap.processing import Params, parameter
from sen4cap.processing.networks import Model

NAMED_INDICES = ("ndvi", "lai", "fapar", "fcover", "ndwi", "brightness")
BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


class Averaging(StrEnum):
    """What of backscatter is averaged."""

    LINEAR = "linear"
    """Power, as energy adds up."""
    DECIBELS = "db"
    """Decibels of each pixel, as the original does; about 1 dB lower with a few looks."""


def _switch(what: str, key: str, *, default: bool = False) -> bool:
    enabled: bool = parameter(
        default, title=f"{what} markers", description=f"Extract {what} markers.", key=key
    )
    return enabled


def _statistic(what: str, key: str) -> bool:
    enabled: bool = parameter(
        False,
        title=what.capitalize(),
        description=f"Add the {what} to mean, standard deviation and valid pixels.",
        key=key,
    )
    return enabled


def _rim(what: str) -> float:
    width: float = parameter(
        0.0,
        title=f"Inner buffer, {what}",
        description=f"Width of the rim of each parcel that is left out of {what} rasters.",
        unit="m",
        advanced=True,
        ge=0,
        le=50,
    )
    return width


class MarkersParams(Params):
    """Which rasters are reduced to which statistics, and over which part of the parcels."""

    ndvi_enabled: bool = _switch("NDVI", "ndvi_enabled", default=True)
    lai_enabled: bool = _switch("LAI", "lai_enabled", default=True)
    fapar_enabled: bool = _switch("FAPAR", "fapar_enabled", default=True)
    fcover_enabled: bool = _switch("FCOVER", "fcover_enabled", default=True)
    ndwi_enabled: bool = _switch("NDWI", "ndwi_enabled")
    brightness_enabled: bool = _switch("brightness", "brightness_enabled")
    other_indices_enabled: bool = _switch("all other index", "other_indices_enabled")
    amp_enabled: bool = _switch("backscatter", "amp_enabled", default=True)
    amp_vvvh_enabled: bool = _switch("backscatter ratio", "amp_vvvh_enabled", default=True)
    cohe_enabled: bool = _switch("coherence", "cohe_enabled", default=True)
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
    minmax_enabled: bool = _statistic("minimum and maximum", "minmax_enabled")
    median_enabled: bool = _statistic("median", "median_enabled")
    p25_enabled: bool = _statistic("25th percentile", "p25_enabled")
    p75_enabled: bool = _statistic("75th percentile", "p75_enabled")
    parcels_only: bool = parameter(
        False,
        title="On parcels only",
        description="Compute indices and biophysical variables from L2A products on the pixels of "
        "parcels alone: no L3B raster is needed or kept.",
    )
    model: Model = parameter(
        Model.S2TOOLBOX,
        title="Networks",
        description="Family of networks for biophysical variables that are computed on parcels.",
        advanced=True,
    )
    pixel_rule: PixelRule = parameter(
        PixelRule.EXACT,
        title="Pixel rule",
        description="Which pixels count: all that a parcel touches, by the share that it covers, "
        "or those whose centre lies inside.",
        advanced=True,
    )
    buffer: float = _rim("optical")
    sar_buffer: float = _rim("radar")
    sar_averaging: Averaging = parameter(
        Averaging.LINEAR,
        title="Averaging of backscatter",
        description="Whether power or decibels of the pixels are averaged.",
        advanced=True,
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

    @property
    def quantiles(self) -> dict[str, float]:
        """Shares of the quantiles that are wanted, by column."""
        known = {"median": 0.5, "p25": 0.25, "p75": 0.75}
        return {name: share for name, share in known.items() if getattr(self, f"{name}_enabled")}

    @property
    def statistics(self) -> tuple[str, ...]:
        """Columns of the statistics that are wanted beyond those that are always there."""
        extremes = ("min", "max") if self.minmax_enabled else ()
        return (*extremes, *self.quantiles)

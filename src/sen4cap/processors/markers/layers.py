"""What becomes a marker: a raster, something computed of several, or what two of them say together.

The sets of the original: indices and biophysical variables of L3B products, reflectances of L2A
products, backscatter per polarisation and its ratio, coherence per polarisation and length of the
pair. Relative orbits are told apart by the rows of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from sen4cap.domain import Asset, Grid, Product, ProductType, Role
from sen4cap.geo.angles import Cosines
from sen4cap.geo.zonal import Places, Statistics, Values
from sen4cap.processing.classification import Validity, validity_of
from sen4cap.processing.directions import cosines_of
from sen4cap.processing.variables import Recipe, recipe_of
from sen4cap.processors.markers.params import Averaging, MarkersParams

POLARISATIONS = ("VV", "VH")
BASELINE = "sen4cap:baseline_days"


@dataclass(frozen=True)
class Pixels:
    """Some pixels of an acquisition."""

    values: Values
    """Physical values by name of the asset, shapes (pixels,)."""
    grid: Grid
    places: Places


@dataclass(frozen=True)
class Variable:
    """What is reduced to statistics."""

    name: str
    """Unique in its product; of a raster that is taken as it is, the name of its asset."""
    assets: tuple[Asset, ...]
    """What is read for it."""
    make: Callable[[Pixels], NDArray[np.float32]] | None = None
    """Pixels → its values, shape (pixels,); None where a raster is taken as it is."""


@dataclass(frozen=True)
class Layer:
    """A marker of a product."""

    marker: str
    """`ndvi`, `b04`, `amp_vv`, `cohe_vh_12d`."""
    product: Product
    variables: tuple[Variable, ...]
    buffer: float
    """Rim of the parcels that is left out, metres."""
    validity: Validity | None = None
    """Masks of its product; None where the rasters' own nodata says all."""
    setting: str = ""
    """Further settings that its values depend on."""
    derive: Callable[..., Statistics] | None = None
    """Statistics of the variables → its own; None where it has one variable."""

    @property
    def assets(self) -> tuple[Asset, ...]:
        """What is read for it, sorted by name."""
        found = {asset.name: asset for item in self.variables for asset in item.assets}
        return tuple(found[name] for name in sorted(found))


def layers(params: MarkersParams, products: Iterable[Product]) -> tuple[Layer, ...]:
    """The wanted markers of the products of one acquisition, sorted by name."""
    found = {
        layer.marker: layer
        for product in sorted(products, key=lambda item: item.name)
        for layer in _MAKERS[product.type](params, product)
    }
    return tuple(found[marker] for marker in sorted(found))


def read_by(params: MarkersParams, product: Product) -> frozenset[str]:
    """Names of the rasters of a product that its layers read."""
    found = layers(params, [product])
    masks = {mask.name for layer in found if layer.validity for mask in layer.validity.masks}
    return frozenset(asset.name for layer in found for asset in layer.assets) | masks


def _of_l3b(params: MarkersParams, product: Product) -> Iterator[Layer]:
    wanted = () if params.parcels_only else params.indices
    for asset in product.assets:
        if asset.name in wanted:
            yield Layer(asset.name, product, (Variable(asset.name, (asset,)),), params.buffer)


def _of_l2a(params: MarkersParams, product: Product) -> Iterator[Layer]:
    seen = validity_of(product, params.cloud_dilation)
    whole = Layer("", product, (), params.buffer, seen)
    bands = {asset.name: asset for asset in product.assets if asset.role is Role.DATA}
    for name in params.bands:
        if name in bands:
            yield replace(whole, marker=name.lower(), variables=(Variable(name, (bands[name],)),))
    if params.parcels_only:
        angles = _Angles(product)
        for name, alone in recipe_of(product, params.indices, params.model).each():
            assets = tuple(bands[band] for band in alone.bands)
            variable = Variable(name, assets, partial(_computed, alone, angles))
            yield replace(whole, marker=name, variables=(variable,), setting=params.model.value)


@dataclass(frozen=True, eq=False)
class _Angles:
    """Sun and view of a product, read when they are needed and once."""

    product: Product

    @cached_property
    def cosines(self) -> Cosines:
        return cosines_of(self.product)


def _computed(recipe: Recipe, angles: _Angles, pixels: Pixels) -> NDArray[np.float32]:
    """The one variable of a recipe."""
    needed = recipe.network is not None
    cosines = angles.cosines.at_pixels(pixels.grid, *pixels.places) if needed else ()
    [values] = recipe.compute(pixels.values, tuple(cosines)).values.values()
    return values


def _of_backscatter(params: MarkersParams, product: Product) -> Iterator[Layer]:
    found = {
        name: _backscatter(asset, params.sar_averaging)
        for name, asset in _polarised(product).items()
    }
    setting = params.sar_averaging.value
    for name, variable in found.items() if params.amp_enabled else ():
        marker = f"amp_{name.lower()}"
        yield Layer(marker, product, (variable,), params.sar_buffer, setting=setting)
    if params.amp_vvvh_enabled and len(found) == len(POLARISATIONS):
        both = tuple(found[name] for name in POLARISATIONS)
        derive = partial(ratio, params.sar_averaging)
        yield Layer("amp_vvvh", product, both, params.sar_buffer, setting=setting, derive=derive)


def _backscatter(asset: Asset, averaging: Averaging) -> Variable:
    make = partial(_decibels, asset.name) if averaging is Averaging.DECIBELS else None
    return Variable(asset.name, (asset,), make)


def _decibels(name: str, pixels: Pixels) -> NDArray[np.float32]:
    """10·log10 of linear power; missing where it is not above 0."""
    power = pixels.values[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(power > 0, 10 * np.log10(power), np.float32(np.nan)).astype(np.float32)


def ratio(averaging: Averaging, first: Statistics, second: Statistics) -> Statistics:
    """VV over VH of each parcel: of mean powers, or the difference of mean decibels.

    Averages are taken first, because speckle biases the ratio of single pixels. The deviation
    follows from those of the two as if they were independent, as in the original's table MDB2;
    extremes and quantiles are missing.
    """
    if averaging is Averaging.DECIBELS:
        mean = first.mean - second.mean
        stdev = np.hypot(first.stdev, second.stdev)
    else:
        mean = np.divide(
            first.mean, second.mean, out=np.full(len(first.mean), np.nan), where=second.mean > 0
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            stdev = mean * np.hypot(first.stdev / first.mean, second.stdev / second.mean)
    known = np.isfinite(mean)
    missing = np.full(len(mean), np.nan)
    return Statistics(
        np.where(known, mean, np.nan),
        np.where(known & np.isfinite(stdev), stdev, np.nan),
        np.where(known, np.minimum(first.count, second.count), 0),
        np.where(known, np.minimum(first.valid_fraction, second.valid_fraction), 0),
        missing,
        missing,
        dict.fromkeys(first.quantiles, missing),
    )


def _of_coherence(params: MarkersParams, product: Product) -> Iterator[Layer]:
    days = product.properties.get(BASELINE)
    ending = f"_{days}d" if days else ""
    for name, asset in _polarised(product).items() if params.cohe_enabled else ():
        variables = (Variable(name, (asset,)),)
        yield Layer(f"cohe_{name.lower()}{ending}", product, variables, params.sar_buffer)


def _polarised(product: Product) -> dict[str, Asset]:
    """Rasters by polarisation."""
    found = {asset.name.upper(): asset for asset in product.assets if asset.role is Role.DATA}
    return {name: found[name] for name in POLARISATIONS if name in found}


_MAKERS: Mapping[ProductType, Callable[[MarkersParams, Product], Iterator[Layer]]] = {
    ProductType.L3B: _of_l3b,
    ProductType.L2A: _of_l2a,
    ProductType.S1_AMP: _of_backscatter,
    ProductType.S1_COHE: _of_coherence,
}
CONSUMED = tuple(_MAKERS)
"""Types of products that become markers."""

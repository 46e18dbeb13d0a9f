"""Which variables can be made of an L2A product, from what, and how.

The one way from reflectances to indices and biophysical variables, whoever wants them: rasters go
through it strip by strip, the pixels of parcels as flat arrays. It is elementwise.

    recipe = recipe_of(product, ["ndvi", "lai"])      what is possible, and why the rest is not
    values = recipe.compute(bands, cosines)           bands: reflectance by name, any shape
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sen4cap.domain import Product, Role
from sen4cap.errors import NotFound
from sen4cap.kernels.biophysical import Network, estimate
from sen4cap.kernels.indices import INDICES, SpectralIndex, evaluate
from sen4cap.kernels.variables import VARIABLES, Variable
from sen4cap.processing.directions import directions_of
from sen4cap.processing.networks import Model, network_for

Reflectances = Mapping[str, npt.NDArray[np.float32]]
"""By Sentinel-2 band, equal shapes; NaN is missing."""
Angles = Sequence[npt.NDArray[np.float32]]
"""Cosines of view zenith, sun zenith and relative azimuth, of the shape of the bands."""

TEN_METRES = ("B03", "B04", "B08")
"""All that the networks with three bands take."""
_PLATFORM = "platform"


class Computed(NamedTuple):
    """Variables of pixels, of the shape of the bands."""

    values: dict[str, npt.NDArray[np.float32]]
    """By id; NaN is missing."""
    flags: dict[str, npt.NDArray[np.uint8]]
    """`DomainFlag`s of the biophysical ones, by id; 255 where missing."""


@dataclass(frozen=True)
class Recipe:
    """How the wanted variables are made of one product."""

    indices: tuple[SpectralIndex, ...]
    network: Network | None
    """Of the biophysical variables that are possible; None where none is."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Why a wanted variable is not possible, by id."""

    @property
    def variables(self) -> tuple[SpectralIndex | Variable, ...]:
        """What is possible: indices, then biophysical variables."""
        estimated = self.network.outputs if self.network else ()
        return (*self.indices, *(VARIABLES[name] for name in estimated))

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands to read, sorted."""
        used = {band for index in self.indices for band in index.bands}
        return tuple(sorted(used.union(self.network.bands if self.network else ())))

    def each(self) -> Iterator[tuple[str, Recipe]]:
        """Each possible variable by id, with a recipe that makes it alone."""
        for index in self.indices:
            yield index.id, Recipe((index,), None)
        if self.network is not None:
            for name in self.network.outputs:
                yield name, Recipe((), self.network.only([name]))

    def compute(self, bands: Reflectances, angles: Angles = ()) -> Computed:
        """The variables of some pixels.

        `angles` are needed where there is a network. A reflectance below 0 counts as 0 in indices
        and is outside the domain of the networks.

        Raises
        ------
        KeyError
            If a band is not given.
        ValueError
            If angles are needed and not given.
        """
        values = {index.id: evaluate(index, bands) for index in self.indices}
        if self.network is None:
            return Computed(values, {})
        found = estimate(self.network, [*(bands[name] for name in self.network.bands), *angles])
        names = self.network.outputs
        flags = dict(zip(names, found.flags, strict=True))
        return Computed(values | dict(zip(names, found.values, strict=True)), flags)


def recipe_of(product: Product, wanted: Iterable[str], model: Model = Model.S2TOOLBOX) -> Recipe:
    """How to make variables, given by id, of an L2A product; no file is read.

    Biophysical variables are by the networks of `model` for the product's platform; a Sentinel-2
    product that has only 10 m bands gets those with three bands instead. Pure.

    Raises
    ------
    NotFound
        If there is no such variable.
    """
    names = tuple(wanted)
    if unknown := sorted(set(names) - INDICES.keys() - VARIABLES.keys()):
        known = ", ".join((*INDICES, *VARIABLES))
        raise NotFound(f"There is no variable '{unknown[0]}'; there are: {known}.")
    bands = {asset.name for asset in product.assets if asset.role is Role.DATA}
    asked = [INDICES[name] for name in INDICES if name in names]
    lacking = {item.id: _lacks(item.bands, bands) for item in asked}
    network, reasons = _network(
        product, bands, [name for name in VARIABLES if name in names], model
    )
    indices = tuple(item for item in asked if not lacking[item.id])
    left_out = {name: why for name, why in (lacking | reasons).items() if why}
    return Recipe(indices, network, left_out)


def _network(
    product: Product, bands: set[str], names: Sequence[str], model: Model
) -> tuple[Network | None, dict[str, str]]:
    """Networks of those variables that are possible, and why the others are not."""
    chosen = _fitting(product, bands, model)
    if chosen is None:
        return None, dict.fromkeys(names, f"there is no network '{model}' for its platform")
    why = _lacks(chosen.bands, bands)
    if not why and directions_of(product) is None:
        why = "it tells no angles of the sun"
    possible = [] if why else [name for name in names if name in chosen.outputs]
    others = [name for name in names if name not in possible]
    reasons = dict.fromkeys(others, why or f"'{chosen.id}' has no network for it")
    return chosen.only(possible) if possible else None, reasons


def _fitting(product: Product, bands: set[str], model: Model) -> Network | None:
    platform = product.properties.get(_PLATFORM)
    asked = network_for(model, platform)
    fine = network_for(Model.S2TOOLBOX_10M, platform)
    if asked is None or fine is None or bands.issuperset(asked.bands):
        return asked
    only_fine = bands.issuperset(TEN_METRES) and not bands & (set(asked.bands) - set(TEN_METRES))
    return fine if only_fine else asked


def _lacks(needed: Iterable[str], bands: set[str]) -> str:
    """What is missing, in words; empty where nothing is."""
    missing = [name for name in needed if name not in bands]
    return f"it lacks {', '.join(missing)}" if missing else ""

"""Biophysical variables from reflectances and angles, by small neural networks.

Weiss & Baret (S2ToolBox Level 2 products: LAI, FAPAR, FCOVER, version 1.1, 2016; 2.0, 2020): the
inputs are brought to -1 ... 1, five hidden units follow the hyperbolic tangent, one output is
linear and brought back to its range. These scalings are folded into the weights, so that a pixel
costs two small products. Inputs are reflectances [0-1] and the cosines of view zenith, sun zenith
and relative azimuth; all is float32, NaN is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sen4cap.kernels.perceptron import CLASSES, Codes, Domain, Range, Weights, evaluate

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.uint8]
Exact = npt.NDArray[np.float64]

ANGLES = 3
"""Number of the inputs that are angles: the last ones."""


@dataclass(frozen=True, eq=False)
class Unit:
    """The network of one variable as it was published."""

    inputs: Exact
    """Least and greatest value of each input, shape (inputs, 2)."""
    hidden_weights: Exact
    """Shape (5, inputs)."""
    hidden_bias: Exact
    """Shape (5,)."""
    output_weights: Exact
    """Shape (5,)."""
    output_bias: float
    output: Exact
    """Least and greatest value of the training, shape (2,)."""
    limits: Exact
    """Range of the variable, shape (2,)."""
    tolerance: float
    """By how much an estimate may leave the range before it is too low or too high."""


@dataclass(frozen=True, eq=False)
class Network:
    """Networks of several variables over the same inputs."""

    id: str
    """`s2toolbox_s2a`."""
    bands: tuple[str, ...]
    """Sentinel-2 bands, in the order of the inputs; the three angles follow."""
    outputs: tuple[str, ...]
    """Ids of the variables."""
    weights: Weights
    domain: Domain
    range: Range

    def only(self, outputs: Sequence[str]) -> Network:
        """The networks of some of the variables, in the order given.

        Raises
        ------
        ValueError
            If there is none for one of them.
        """
        rows = [self.outputs.index(name) for name in outputs]
        weights = Weights(*(np.ascontiguousarray(item[rows]) for item in self.weights))
        limits = Range(*(item[rows] for item in self.range))
        return replace(self, outputs=tuple(outputs), weights=weights, range=limits)


class Estimates(NamedTuple):
    """Variables of pixels, shapes (variables, *shape of the inputs)."""

    values: Floats
    """Within the range of the variable, or as near to it as the network keeps; NaN is missing."""
    flags: Flags
    """`DomainFlag`s; 255 where missing."""


def fold(
    name: str,
    bands: Sequence[str],
    units: Mapping[str, Unit],
    domain: tuple[Exact, Exact, npt.NDArray[np.int64]],
    *,
    keeps_near: bool = False,
) -> Network:
    """Networks of one sensor, ready to use.

    `units` are by variable. `domain` is least and greatest reflectance of each band, shapes
    (bands,), and the combinations of classes that count, shape (n,): numbers of as many digits
    as there are bands, each the tenth of its band's range from 0; none where all count.
    `keeps_near` leaves estimates as they are that leave their range within tolerance.
    """
    folded = [_folded(unit) for unit in units.values()]
    weights = Weights(*(np.stack(parts).astype(np.float32) for parts in zip(*folded, strict=True)))
    limits = np.array(
        [
            (*unit.limits, unit.tolerance, unit.tolerance if keeps_near else 0.0)
            for unit in units.values()
        ],
        np.float32,
    )
    low, high, cells = domain
    angles = next(iter(units.values())).inputs[-ANGLES:]
    known = Domain(
        low.astype(np.float32),
        (CLASSES / (high - low)).astype(np.float32),
        *_tables(cells, len(bands)),
        np.array([angles[0, 0], *angles[1]], np.float32),
    )
    return Network(name, tuple(bands), tuple(units), weights, known, Range(*limits.T.copy()))


def _folded(unit: Unit) -> tuple[Exact, Exact, Exact, Exact]:
    low, high = unit.inputs.T
    slope = 2 / (high - low)
    bias = unit.hidden_bias - unit.hidden_weights @ (slope * low + 1)
    half = (unit.output[1] - unit.output[0]) / 2
    constant = half * (unit.output_bias + 1) + unit.output[0]
    return unit.hidden_weights * slope, bias, half * unit.output_weights, np.asarray(constant)


def _tables(cells: npt.NDArray[np.int64], bands: int) -> tuple[Codes, Codes, Flags]:
    """Combinations of classes as rows and columns of a table, which stays in the cache."""
    if not len(cells):
        none = np.zeros(0, np.uint16)
        return none, none, np.zeros((0, 0), np.uint8)
    halves = np.divmod(cells, CLASSES ** (bands // 2))
    sizes = CLASSES ** ((bands + 1) // 2), CLASSES ** (bands // 2)
    known, places = zip(*(np.unique(half, return_inverse=True) for half in halves), strict=True)
    tables = [np.zeros(size, np.uint16) for size in sizes]
    for table, codes in zip(tables, known, strict=True):
        table[codes] = np.arange(1, len(codes) + 1)
    both = np.zeros([len(codes) + 1 for codes in known], np.uint8)
    both[places[0] + 1, places[1] + 1] = 1
    return tables[0], tables[1], both


def estimate(network: Network, inputs: Sequence[npt.NDArray[Any]]) -> Estimates:
    """The variables of pixels, in the order of the network's outputs.

    `inputs` are the reflectances [0-1] of its bands, then the cosines of view zenith, sun zenith
    and relative azimuth (sun minus view), equal shapes; one that is the same everywhere may be a
    single number. An estimate outside the range of its
    variable becomes the nearest end, and is flagged. Memory: a few kilobytes besides the results.
    The interpreter is free meanwhile.

    Raises
    ------
    ValueError
        If the number of inputs is not that of the network, or their shapes differ.
    """
    if len(inputs) != len(network.bands) + ANGLES:
        raise ValueError(f"{network.id} takes {len(network.bands) + ANGLES} inputs.")
    shape = np.broadcast_shapes(*(np.shape(item) for item in inputs))
    flat = tuple(_flat(np.asarray(item, np.float32)) for item in inputs)
    values = np.empty((len(network.outputs), int(np.prod(shape))), np.float32)
    if any(item.size not in {1, values.shape[1]} for item in flat):
        raise ValueError(f"Inputs of {network.id} are of different shapes.")
    flags = np.empty(values.shape, np.uint8)
    evaluate(flat, network.weights, network.domain, network.range, (values, flags))
    whole = len(network.outputs), *shape
    return Estimates(values.reshape(whole), flags.reshape(whole))


def _flat(values: Floats) -> Floats:
    """Values in a row; one alone where a single number was broadcast."""
    if values.size and not any(values.strides):
        return np.array([values.flat[0]], np.float32)
    return np.ascontiguousarray(values).ravel()

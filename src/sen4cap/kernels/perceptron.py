"""The arithmetic of small networks, compiled: blocks of pixels that stay in the first cache.

The hyperbolic tangent is a quotient of polynomials of degree 13 and 6, within 1e-6 of the true one:
unlike the library's it runs on all lanes of the processor. Products and sums may be rounded
together, so that processors of different kinds may differ in the seventh digit. Memory: some tens
of kilobytes. The interpreter is free meanwhile.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from sen4cap.kernels.variables import MISSING, DomainFlag

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.uint16]
Integers = npt.NDArray[np.int32]

CLASSES = 10
"""Parts into which the domain divides the range of a band."""


class Weights(NamedTuple):
    """Folded weights of v variables with n inputs."""

    first: Floats
    """Shape (v, 5, n)."""
    bias: Floats
    """Shape (v, 5)."""
    second: Floats
    """Shape (v, 5)."""
    constant: Floats
    """Shape (v,)."""


class Domain(NamedTuple):
    """What the networks were trained for."""

    low: Floats
    """Of each band, shape (bands,)."""
    step: Floats
    """Classes per unit of reflectance, shape (bands,)."""
    front: Codes
    """Row of `cells` for each combination of classes of the first half of the bands."""
    back: Codes
    """Column of `cells` for each combination of the others."""
    cells: Flags
    """1 where both together count, shape (rows, columns); the first row and column hold 0, for
    what never does. No rows where all count."""
    angles: Floats
    """Least cosine of the view, least and greatest of the sun, shape (3,)."""


class Range(NamedTuple):
    """Range of each variable, shapes (v,)."""

    low: Floats
    high: Floats
    tolerance: Floats
    kept: Floats
    """How far outside a value stays as it is."""


# Coefficients of the quotient in x²: numerator (times x) and denominator, highest power first.
# Minimax approximation, known from Eigen; beyond LIMIT the tangent is 1 in float32.
LIMIT = np.float32(7.90531110763549805)
A6, A5, A4, A3, A2, A1, A0 = (
    np.float32(value)
    for value in (
        -2.76076847742355e-16,
        2.00018790482477e-13,
        -8.60467152213735e-11,
        5.12229709037114e-08,
        1.48572235717979e-05,
        6.37261928875436e-04,
        4.89352455891786e-03,
    )
)
B3, B2, B1, B0 = (
    np.float32(value)
    for value in (
        1.19825839466702e-06,
        1.18534705686654e-04,
        2.26843463243900e-03,
        4.89352518554385e-03,
    )
)
BLOCK = 512
"""Pixels whose intermediate results stay in the processor's first cache."""
_INPUT, _OUTSIDE, _ANGLE = (
    np.uint8(flag)
    for flag in (DomainFlag.INPUT, DomainFlag.INPUT | DomainFlag.BAND, DomainFlag.ANGLE)
)
_AT_MINIMUM, _AT_MAXIMUM, _TOO_LOW, _TOO_HIGH = (
    np.uint8(flag)
    for flag in (
        DomainFlag.AT_MINIMUM,
        DomainFlag.AT_MAXIMUM,
        DomainFlag.TOO_LOW,
        DomainFlag.TOO_HIGH,
    )
)


@njit(inline="always")
def _tanh(value: np.float32) -> np.float32:
    x = min(max(value, -LIMIT), LIMIT)
    s = x * x
    above = ((((((A6 * s + A5) * s + A4) * s + A3) * s + A2) * s + A1) * s + A0) * x
    return above / (((B3 * s + B2) * s + B1) * s + B0)


@njit(nogil=True, cache=True, error_model="numpy")
def evaluate(
    inputs: tuple[Floats, ...],
    weights: Weights,
    domain: Domain,
    limits: Range,
    results: tuple[Floats, Flags],
) -> None:
    """Fill values and flags, shapes (variables, pixels), block by block.

    An input of one pixel holds for all.
    """
    values, flags = results
    pixels, bands, directions = values.shape[1], len(domain.low), 1
    block = np.empty((len(inputs), BLOCK), np.float32)
    for number in range(len(inputs)):
        block[number] = inputs[number][0] if pixels else np.float32(0)
        if number >= bands:
            directions = max(directions, inputs[number].size)
    work = np.empty((2, BLOCK), np.float32), np.empty((3, BLOCK), np.int32)
    for start in range(0, pixels, BLOCK):
        end = min(start + BLOCK, pixels)
        for number in range(len(inputs)):
            if inputs[number].size > 1:
                block[number, : end - start] = inputs[number][start:end]
        found = values[:, start:end], flags[:, start:end]
        alike = min(directions, end - start)
        _estimate_block(block, alike, weights, domain, limits, found, work)


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def _estimate_block(
    block: Floats,
    directions: int,
    weights: Weights,
    domain: Domain,
    limits: Range,
    results: tuple[Floats, Flags],
    work: tuple[Floats, Integers],
) -> None:
    """Fill values and flags of at most a block of pixels; `work` is only space.

    Angles come first in each sum, so that a single one (`directions`) is weighed once for all.
    """
    values, flags = results
    size, bands = values.shape[1], len(domain.low)
    total, answer = work[0][0, :size], work[0][1, :size]
    doubt, front, back = work[1][0, :size], work[1][1, :size], work[1][2, :size]
    _input_flags(block, directions, domain, doubt, (front, back))
    for variable in range(len(weights.constant)):
        answer[:] = weights.constant[variable]
        for unit in range(weights.bias.shape[1]):
            first, weight = weights.first[variable, unit], weights.second[variable, unit]
            total[:] = weights.bias[variable, unit]
            _weigh(block, first, (bands, len(first)), total[:directions])
            if directions < size:
                total[:] = total[0]
            _weigh(block, first, (0, bands), total)
            for pixel in range(size):
                answer[pixel] += weight * _tanh(total[pixel])
        _limit(answer, doubt, limits, variable, flags[variable])
        values[variable] = answer


@njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract"})
def _weigh(block: Floats, weights: Floats, span: tuple[int, int], total: Floats) -> None:
    """Add some weighted inputs to `total`, four at a time: the sum is loaded and stored less."""
    size, (number, end) = len(total), span
    while number + 4 <= end:
        a, b, c, d = block[number], block[number + 1], block[number + 2], block[number + 3]
        w, x, y, z = weights[number], weights[number + 1], weights[number + 2], weights[number + 3]
        for pixel in range(size):
            total[pixel] += w * a[pixel] + x * b[pixel] + y * c[pixel] + z * d[pixel]
        number += 4
    while number < end:
        a, w = block[number], weights[number]
        for pixel in range(size):
            total[pixel] += w * a[pixel]
        number += 1


@njit(nogil=True, cache=True, error_model="numpy")
def _input_flags(
    block: Floats, directions: int, domain: Domain, flags: Integers, codes: tuple[Integers, ...]
) -> None:
    """Flags of a block of pixels for their inputs; `codes` is only space."""
    size, bands = len(flags), len(domain.low)
    front, back = codes
    flags[:] = 0
    _classify(block, domain, (0, (bands + 1) // 2), flags, front)
    _classify(block, domain, ((bands + 1) // 2, bands), flags, back)
    view, sun = block[bands], block[bands + 1]
    least, low, high = domain.angles
    for pixel in range(directions):
        beyond = (view[pixel] < least) | (sun[pixel] < low) | (sun[pixel] > high)
        flags[pixel] |= np.int32(_ANGLE) if beyond else np.int32(0)
    if directions < size:
        for pixel in range(size):
            flags[pixel] |= flags[0] & np.int32(_ANGLE)
    if len(domain.cells):
        for pixel in range(size):
            row, column = domain.front[front[pixel]], domain.back[back[pixel]]
            flags[pixel] |= _INPUT * np.int32(1 - domain.cells[row, column])


@njit(nogil=True, cache=True, error_model="numpy")
def _classify(
    block: Floats, domain: Domain, span: tuple[int, int], flags: Integers, code: Integers
) -> None:
    """Number of the classes that a block of pixels has in some bands; flag what is outside."""
    zero, last, classes = np.float32(0), np.float32(CLASSES - 1), np.float32(CLASSES)
    code[:] = 0
    for band in range(span[0], span[1]):
        low, step, source = domain.low[band], domain.step[band], block[band]
        for pixel in range(len(code)):
            place = (source[pixel] - low) * step
            inside = (place >= zero) & (place <= classes)
            flags[pixel] |= np.int32(0) if inside else np.int32(_OUTSIDE)
            inner = min(last, place if inside else zero)
            code[pixel] = code[pixel] * np.int32(CLASSES) + np.int32(inner)


@njit(nogil=True, cache=True, error_model="numpy")
def _limit(
    answer: Floats, doubt: npt.NDArray[np.int32], limits: Range, variable: int, flags: Flags
) -> None:
    """Bring the values of a block into their range, in place; flag those that were not."""
    low, high = limits.low[variable], limits.high[variable]
    tolerance, kept = limits.tolerance[variable], limits.kept[variable]
    none, inside = np.int32(0), np.int32(0)
    for pixel in range(len(answer)):
        inside += (answer[pixel] >= low) & (answer[pixel] <= high)
    if inside == len(answer):  # as in most blocks
        for pixel in range(len(answer)):
            flags[pixel] = doubt[pixel]
        return
    for pixel in range(len(answer)):
        value = answer[pixel]
        bits = np.int32(_AT_MINIMUM) if value < low else none
        bits = np.int32(_AT_MAXIMUM) if value > high else bits
        bits = np.int32(_TOO_LOW) if value < low - tolerance else bits
        bits = np.int32(_TOO_HIGH) if value > high + tolerance else bits
        bits |= doubt[pixel]
        flags[pixel] = bits if value == value else np.int32(MISSING)  # noqa: PLR0124
        value = low if value < low - kept else value
        answer[pixel] = high if value > high + kept else value

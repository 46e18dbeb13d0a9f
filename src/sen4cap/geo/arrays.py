"""Several arrays in one file, read through the page cache: `.npy` after `.npy`, each aligned.

`numpy.load` maps a single array, and none of a zip file; this is what lies between.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from sen4cap.errors import UnreadableFile

ALIGNMENT = 64
READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

Array = npt.NDArray[Any]


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays one after the other, in the order given; the same arrays give the same bytes."""
    with path.open("wb") as handle:
        for array in (np.array(list(arrays)), *arrays.values()):
            handle.write(b"\0" * (-handle.tell() % ALIGNMENT))
            np.lib.format.write_array(handle, np.asarray(array, order="C"), allow_pickle=False)


def map_arrays(path: Path) -> dict[str, Array]:
    """Arrays that `write_arrays` wrote, read-only and in memory only where they are looked at.

    Raises
    ------
    UnreadableFile
        If the file is missing or damaged.
    """
    try:
        with path.open("rb") as handle:
            names = _next(path, handle)
            return {str(name): _next(path, handle) for name in names}
    except (OSError, ValueError, KeyError) as error:
        raise UnreadableFile(f"'{path}' is damaged: delete it, it will be made again.") from error


def _next(path: Path, handle: BinaryIO) -> Array:
    """The array that begins behind the current position, and the handle behind it."""
    handle.seek(-handle.tell() % ALIGNMENT, 1)
    shape, fortran, kind = READERS[np.lib.format.read_magic(handle)](handle)
    if fortran:
        raise ValueError(path)
    begin, size = handle.tell(), int(np.prod(shape)) * kind.itemsize
    if size > ALIGNMENT:
        handle.seek(size, 1)
        return np.memmap(path, kind, "r", begin, shape).view(np.ndarray)
    # nothing cannot be mapped, a word need not be
    return np.frombuffer(handle.read(size), kind).reshape(shape)

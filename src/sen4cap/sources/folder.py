"""A folder as a source: products in known formats or a plain raster series, by what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from sen4cap.domain.found import Found, Skipped
from sen4cap.errors import EmptyLayer, InputRefused, UnreadableFile
from sen4cap.processing import Progress, no_progress
from sen4cap.sources import landsat, maccs, muscate, radar, safe, series, stac
from sen4cap.sources.candidate import Candidate


def discover(
    folder: Path,
    *,
    pattern: str | None = None,
    grid: str | None = None,
    bands: Sequence[str] = (),
    keep_going: bool = False,
    progress: Progress = no_progress,
) -> list[Found | Skipped]:
    """All products in and below a folder, sorted by sensing start and name; then what is left out.

    Products in known formats (SAFE, MAJA, MACCS, Landsat, radar on a tile's grid, STAC Items; see
    `docs/formats.md`) are taken where there are some, else, or where a `pattern` is
    given, a series of rasters (see `series.candidates` for `grid`, the name of its grid, and
    `bands`). A product that is there twice is taken once. With `keep_going` a product that
    is refused is left out with its reason; without, the first one ends the search.

    Raises
    ------
    UnreadableFile
        If there is no such folder.
    EmptyLayer
        If no product is usable.
    InputRefused
        Of any kind, if a product cannot be used and `keep_going` is off.
    """
    if not folder.is_dir():
        told = (
            "is a file: give the folder it lies in" if folder.exists() else "is not there: check it"
        )
        raise UnreadableFile(f"'{folder}' {told}.")
    items = list(_items(folder, pattern, grid, bands))
    found: dict[str, Found] = {}
    skipped: list[Skipped] = []
    for number, item in enumerate(items):
        progress(number / len(items), item.path.name)
        looked = item if isinstance(item, Skipped) else _look(item, keep_going=keep_going)
        if isinstance(looked, Found):
            looked = _once(looked, found)
        if isinstance(looked, Skipped):
            skipped.append(looked)
    if not found:
        raise _nothing(folder, skipped)
    return [*sorted(found.values(), key=lambda item: (item.start, item.name)), *skipped]


def _nothing(folder: Path, skipped: Sequence[Skipped]) -> EmptyLayer:
    advice = "check the path, or describe the file names with --pattern."
    reason = f"the first of {len(skipped)} left out: {skipped[0].reason}" if skipped else advice
    return EmptyLayer(f"'{folder}' holds no usable product, STAC Item or raster series; {reason}")


def _items(
    folder: Path, pattern: str | None, grid: str | None, bands: Sequence[str]
) -> Iterator[Candidate | Skipped]:
    if pattern is None:
        described = chain(
            _safe(folder), _others(folder), radar.candidates(folder), stac.candidates(folder)
        )
        if (first := next(described, None)) is not None:
            yield from chain((first,), described)
            return
    yield from series.candidates(folder, pattern, series=grid, bands=bands)


def _safe(folder: Path) -> Iterator[Candidate | Skipped]:
    for path, level in safe.folders(folder):
        if level == "L2A":
            yield Candidate(path, partial(safe.find, path))
        else:
            yield Skipped(path, "Level 1C holds no surface reflectance: fetch its level 2A.")


def _others(folder: Path) -> Iterator[Candidate]:
    """Products of MAJA, MACCS and Landsat."""
    readers: tuple[tuple[Iterable[Path], Callable[[Path], Found]], ...] = (
        (muscate.folders(folder), muscate.find),
        (maccs.headers(folder), maccs.find),
        (landsat.metadata_files(folder), landsat.find),
    )
    for paths, find in readers:
        for path in paths:
            yield Candidate(path, partial(find, path))


def _look(candidate: Candidate, *, keep_going: bool) -> Found | Skipped:
    try:
        return candidate.find()
    except InputRefused as error:
        if not keep_going:
            raise
        return Skipped(candidate.path, str(error))


def _once(item: Found, found: dict[str, Found]) -> Found | Skipped:
    """Take a product into `found`, or tell that it is there already."""
    first = found.setdefault(item.name, item)
    if first is item:
        return item
    return Skipped(item.path, f"It is product '{item.name}' again, as in '{first.path}'.")

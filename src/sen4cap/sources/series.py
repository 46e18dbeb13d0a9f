"""Series of plain GeoTIFFs: what they are stands in their file names, see `pattern`.

All rasters of one tile and instant are one product. Where a name holds no time of day, the
sensing start is 10:00 UTC of its date, and the property `sen4cap:time_unknown` says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from sen4cap.domain import finest, short_name
from sen4cap.domain.found import Found, FoundBand, Skipped
from sen4cap.errors import InputRefused, InvalidParameter, UnreadableDate
from sen4cap.sources.bands import band_name, type_of
from sen4cap.sources.candidate import Candidate
from sen4cap.sources.footprint import of_grid
from sen4cap.sources.pattern import Pattern, compile_pattern, instant_of, tile_name
from sen4cap.sources.rasters import RASTER_SUFFIXES, RasterFile, inspect

DEFAULT_PATTERNS = (
    "{band}_{date}.tif",
    "{tile}_{date}_{band}.tif",
    "{tile}_{datetime}_{band}.tif",
    "{date}_{band}.tif",
)
"""Tried where no pattern is given: the one that most files match is taken."""

SKIP = "-"
"""In place of a band's name: leave the band out."""


@dataclass(frozen=True)
class _Group:
    """Files of one tile and instant."""

    series: str
    values: dict[str, str]
    """Tokens they share, with their text."""
    files: tuple[tuple[Path, str | None], ...]
    """Path, and the band that its name tells."""
    names: tuple[str | None, ...]
    """Bands of every file, where given."""

    @property
    def grid_name(self) -> str:
        return tile_name(self.values["tile"]) if "tile" in self.values else self.series


def candidates(
    folder: Path,
    pattern: str | None = None,
    *,
    series: str | None = None,
    bands: Sequence[str] = (),
) -> Iterator[Candidate | Skipped]:
    """One candidate per tile and instant, and the rasters that are left out.

    `series` names the grid where the pattern has no `{tile}`, by default after the folder.
    `bands` names the bands of every file in order, `-` leaves one out; by default they are told
    by the token `{band}`, a word of the pattern or the descriptions in the file.

    Raises
    ------
    InvalidParameter
        If the pattern or a band's name is not understood.
    """
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in RASTER_SUFFIXES)
    compiled = compile_pattern(pattern) if pattern else _best_pattern(folder, paths)
    names = tuple(_given(name) for name in bands) or _names_in(compiled)
    groups: dict[tuple[tuple[str, str], ...], list[tuple[Path, str | None]]] = defaultdict(list)
    for path in paths:
        values = compiled.match(path.relative_to(folder).as_posix())
        told = values.pop("band", None) if values else None
        if values is None:
            yield Skipped(path, f"Its name does not match the pattern '{compiled.text}'.")
        elif told and band_name(told) is None:
            yield Skipped(path, f"'{told}' is no band or index that is known here.")
        else:
            groups[tuple(sorted(values.items()))].append((path, told and band_name(told)))
    slug = short_name(series or folder.resolve().name) or "series"
    for key, files in groups.items():
        group = _Group(slug, dict(key), tuple(files), names)
        yield Candidate(files[0][0], partial(_find, group))


def _best_pattern(folder: Path, paths: Sequence[Path]) -> Pattern:
    def matched(pattern: Pattern) -> int:
        return sum(pattern.match(p.relative_to(folder).as_posix()) is not None for p in paths)

    return max(map(compile_pattern, DEFAULT_PATTERNS), key=matched)


def _given(name: str) -> str | None:
    known = None if name == SKIP else band_name(name)
    if known is None and name != SKIP:
        raise InvalidParameter(
            f"'{name}' is no band: give names such as B04, SCL or ndvi in the order of the "
            "bands in the files, '-' for one to leave out."
        )
    return known


def _names_in(pattern: Pattern) -> tuple[str, ...]:
    """The one band that the literal text of a pattern names, as in `NDVI_{date}.tif`."""
    known = {name for word in pattern.words if (name := band_name(word))}
    return tuple(known) if len(known) == 1 else ()


def _find(group: _Group) -> Found:
    start, time_known = _start(group)
    rasters = [(inspect(path, group.grid_name), name) for path, name in group.files]
    bands = sorted(
        (band for raster, name in rasters for band in _bands(raster, name, group.names)),
        key=lambda band: band.name,
    )
    _check(bands, [raster for raster, _ in rasters])
    kind = type_of(band.name for band in bands)
    grid = finest(raster.grid for raster, _ in rasters)
    stamp = start.strftime("%Y%m%dT%H%M%S" if time_known else "%Y%m%d")
    return Found(
        name="_".join(dict.fromkeys((group.series, group.grid_name, kind.value, stamp))),
        type=kind,
        grid=grid,
        start=start,
        end=start,
        footprint=of_grid(grid),
        bands=tuple(bands),
        path=group.files[0][0],
        properties=_properties(group.values, time_known=time_known),
    )


def _start(group: _Group) -> tuple[datetime, bool]:
    try:
        return instant_of(group.values)
    except ValueError as error:
        text = group.values.get("datetime") or group.values["date"]
        raise UnreadableDate(
            f"'{group.files[0][0]}' holds no date in '{text}': "
            "write it as 2017-07-17 or 20170717, or correct the pattern."
        ) from error


def _properties(values: dict[str, str], *, time_known: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {} if time_known else {"sen4cap:time_unknown": True}
    if "orbit" in values:
        properties["sat:relative_orbit"] = int(values["orbit"].lstrip("Rr"))
    return properties


def _bands(
    raster: RasterFile, told: str | None, names: tuple[str | None, ...]
) -> Iterator[FoundBand]:
    for index, name in enumerate(_names(raster, told, names), start=1):
        if name is not None:
            yield raster.band(name, index)


def _names(
    raster: RasterFile, told: str | None, names: tuple[str | None, ...]
) -> tuple[str | None, ...]:
    if told is not None:
        return (told,)
    if len(names) == raster.count:
        return names
    described = tuple(band_name(text) for text in raster.descriptions)
    if names or not any(described):
        raise InvalidParameter(
            f"'{raster.path}' has {raster.count} bands and {len(names)} are named: "
            "name all of them in order with --band."
        )
    return described


def _check(bands: Sequence[FoundBand], rasters: Sequence[RasterFile]) -> None:
    names = [band.name for band in bands]
    for band, following in pairwise(bands):
        if band.name == following.name:
            raise InputRefused(
                f"'{band.href}' and '{following.href}' are both band {band.name} of one date: "
                "tell them apart in the pattern, with {tile} or {time}."
            )
    if len({raster.grid.crs for raster in rasters}) > 1:
        raise InputRefused(
            f"The rasters beside '{rasters[0].path}' are one product in several coordinate "
            f"reference systems ({', '.join(names)}): tell them apart in the pattern with {{tile}}."
        )

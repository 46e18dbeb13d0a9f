"""Parcels: import declarations and crop tables, look at versions, go back."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sen4cap.app.sites import widen_footprint
from sen4cap.app.system import System
from sen4cap.domain import Grid, ParcelSet, Reason, Sensor
from sen4cap.errors import NoInput, Sen4capError
from sen4cap.processing import Progress, no_progress, part, publish, write_whole

if TYPE_CHECKING:
    import polars as pl
    from geopandas import GeoDataFrame

    from sen4cap.domain.parcel import Mode
    from sen4cap.parcels import Columns, Prepared, Report


@dataclass(frozen=True)
class Imported:
    """What an import did, or would do."""

    parcel_set: ParcelSet | None
    """None for a dry run."""
    report: Report
    changes: list[dict[str, Any]]
    """What is new, changed, removed or split: `change, NewID, ori_id, before, after`."""


def import_lut(system: System, site: str, year: int, path: Path) -> int:
    """Replace the crop table of a site and year; returns the number of crops.

    Raises
    ------
    InputRefused
        If the table cannot be used; the old one stays.
    """
    from sen4cap.parcels import read_lut

    system.store.sites.get(site)
    table = read_lut(path)
    system.store.parcels.write_lut(site, year, table)
    return int(table.height)


def import_declarations(
    system: System,
    site: str,
    year: int,
    path: Path,
    columns: Columns,
    *,
    mode: Mode,
    layer: str | None = None,
    crs: str | None = None,
    lut: Path | None = None,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> Imported:
    """Import declarations as the next version of the parcels of a site and year.

    The crop table `lut`, where given, is imported with them: both or none.

    Raises
    ------
    InputRefused
        If file, columns or table cannot be used; nothing is changed.
    """
    from sen4cap.geo.vector import read_vector
    from sen4cap.parcels import read_lut

    system.store.sites.get(site)
    table = read_lut(lut) if lut else system.store.parcels.lut(site, year)
    progress(0.1, "reading declarations")
    declarations = read_vector(path, layer, crs=crs)
    progress(0.3, "checking parcels")
    prepared = _prepared(system, site, year, declarations, columns, mode, table)
    changes = _records(prepared)
    if dry_run:
        return Imported(None, prepared.report, changes)
    progress(0.7, "writing parcels")
    parcel_set = _written(system, site, year, prepared, table if lut else None)
    progress(0.9, "placing parcels on grids")
    widen_footprint(system, site, prepared.frame)
    place(system, site, year)
    return Imported(parcel_set, prepared.report, changes)


def _prepared(
    system: System,
    site: str,
    year: int,
    declarations: GeoDataFrame,
    columns: Columns,
    mode: Mode,
    table: pl.DataFrame | None,
) -> Prepared:
    from sen4cap.geo.vector import read_parcels
    from sen4cap.parcels import prepare

    standing = system.store.parcels.current(site, year)
    known = system.store.parcels.identities(site, year)
    return prepare(
        declarations,
        columns,
        mode=mode,
        previous=read_parcels(standing.path) if standing else None,
        identities=known.parcels,
        holdings=known.holdings,
        lut=table,
    )


def _records(prepared: Prepared) -> list[dict[str, Any]]:
    table = prepared.changes.astype(object)
    records: list[dict[str, Any]] = table.where(table.notna(), None).to_dict("records")
    return records


def _written(
    system: System, site: str, year: int, prepared: Prepared, lut: pl.DataFrame | None
) -> ParcelSet:
    """Write the file under a name that holds its digest, then commit the version."""
    from sen4cap.geo.vector import write_parcels

    version = system.store.parcels.next_version(site, year)
    folder = system.archive / site / "lpis" / str(year)
    draft = folder / f".v{version}{part(socket.gethostname(), os.getpid())}.parquet"
    draft.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_parcels(draft, prepared.frame)
        digest = hashlib.sha256(draft.read_bytes()).hexdigest()[:32]
        final = folder / f"SEN4CAP_LPIS_S{site}_{year}_v{version}_r{digest[:8]}.parquet"
        publish(draft, final)
    finally:
        draft.unlink(missing_ok=True)
    parcel_set = ParcelSet(site, year, version, final, digest, prepared.report.parcels)
    try:
        system.store.parcels.write(parcel_set, prepared.frame, prepared.report.as_dict(), lut)
    except Sen4capError:
        _drop_unreferred(system, parcel_set)
        raise
    return parcel_set


def _drop_unreferred(system: System, parcel_set: ParcelSet) -> None:
    """Remove the file of a version that was refused, unless it is that of another import."""
    kept = system.store.parcels.versions(parcel_set.site, parcel_set.year)
    if parcel_set.path not in {item.parcel_set.path for item in kept}:
        parcel_set.path.unlink(missing_ok=True)


def rollback(
    system: System, site: str, year: int, version: int, *, progress: Progress = no_progress
) -> ParcelSet | None:
    """Undo an import and all after it; returns the version that is current now, if any.

    The site's footprint stays as wide as it is.

    Raises
    ------
    NotFound
        If there is no such version, or it was undone before.
    """
    progress(0.1, "going back")
    standing = system.store.parcels.rollback(site, year, version)
    if standing is not None:
        progress(0.4, "placing parcels on grids")
        place(system, site, year)
    return standing


def place(system: System, site: str, year: int) -> None:
    """Home grid and pixel counts of the parcels on the grids that are known; else left empty."""
    from sen4cap.geo.vector import read_parcels

    standing = system.store.parcels.current(site, year)
    grids = system.store.grids.all(site)
    if standing is None or not grids:
        return
    frame = read_parcels(standing.path, ["NewID"])
    system.store.parcels.place(site, year, _places(frame, grids))


def place_all(system: System, site: str) -> None:
    """Place the parcels of every year of a site, as where it got a new grid."""
    for year in sorted({season.year for season in system.store.seasons.all(site)}):
        place(system, site, year)


def _places(frame: GeoDataFrame, grids: list[Grid]) -> pl.DataFrame:
    """Columns new_id, home_s2, s2_pix, home_s1, s1_pix; without S1 grids the S2 homes serve."""
    import polars as pl

    from sen4cap.processing.homes import places_of

    optical, radar = (places_of(frame, grids, sensor) for sensor in (Sensor.S2, Sensor.S1))
    has_radar = any(grid.sensor is Sensor.S1 for grid in grids)
    return pl.DataFrame(
        {
            "new_id": frame["NewID"].to_numpy(),
            "home_s2": _named(optical.home),
            "s2_pix": optical.pixels,
            "home_s1": _named(radar.home) if has_radar else [None] * len(frame),
            "s1_pix": radar.pixels,
        },
        schema_overrides={"home_s1": pl.String},
    )


def _named(homes: Iterable[str]) -> list[str | None]:
    return [str(name) or None for name in homes]


def lut_file(system: System, site: str, year: int) -> Path:
    """The crop table as a Parquet file whose name holds its digest; made where it is not there.

    Raises
    ------
    NoInput
        If there is no crop table.
    """
    table = system.store.parcels.lut(site, year)
    if table is None:
        raise NoInput(
            f"Site '{site}' has no crop table for {year}: run 'sen4cap lpis import-lut' first."
        )
    digest = hashlib.sha256(table.write_csv().encode()).hexdigest()[:32]
    path = system.archive / site / "lpis" / str(year) / f"lut_{digest}.parquet"
    if not path.exists():
        with write_whole(path) as temporary:
            table.write_parquet(temporary, compression="zstd")
    return path


def summary(system: System, site: str, year: int) -> dict[str, Any]:
    """Current version of a year, its parcels, and counts of those left out, with the reason."""
    standing = system.store.parcels.current(site, year)
    report: Mapping[str, Any] = (
        system.store.parcels.report(site, year, standing.version) if standing else {}
    )
    left_out = [
        {"reason": code, "count": count, "sentence": Reason(code).sentence}
        for code, count in dict(report.get("reasons", {})).items()
    ]
    return {
        "year": year,
        "version": standing.version if standing else None,
        "count": standing.count if standing else 0,
        "left_out": left_out,
    }

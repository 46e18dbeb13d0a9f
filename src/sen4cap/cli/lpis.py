"""`sen4cap lpis`: declared parcels and the crop table."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sen4cap.cli.output import AsJson, emit, progress_bar, table
from sen4cap.domain.parcel import Mode

if TYPE_CHECKING:
    from sen4cap.app.lpis import Imported

app = typer.Typer(help="Declared parcels and the crop table.", no_args_is_help=True)

SiteName = Annotated[str, typer.Argument(help="Short name of the site.")]
Year = Annotated[int, typer.Argument(help="Year of the declarations.", min=1900, max=2200)]
Table = Annotated[Path, typer.Argument(help="Crop table, CSV.")]


LISTED = 20
"""Changes that a dry run shows to people."""


@app.command("import")
def import_parcels(
    site: SiteName,
    year: Year,
    declarations: Annotated[Path, typer.Argument(help="Vector file, or a zip that holds one.")],
    parcel_id_cols: Annotated[
        list[str] | None, typer.Option(help="Column of the parcel's identifier; repeatable.")
    ] = None,
    holding_id_cols: Annotated[
        list[str] | None, typer.Option(help="Column of the holding's identifier; repeatable.")
    ] = None,
    crop_code_col: Annotated[str | None, typer.Option(help="Column of the crop code.")] = None,
    id_from_geometry: Annotated[
        bool, typer.Option("--id-from-geometry", help="No identifier: make one of the geometry.")
    ] = False,
    lut: Annotated[Path | None, typer.Option(help="Crop table, CSV, imported with them.")] = None,
    mode: Annotated[
        Mode,
        typer.Option(
            help="update: parcels that are missing are marked deleted; incremental: they stay; "
            "replace: they are no part of the new version."
        ),
    ] = Mode.UPDATE,
    layer: Annotated[str | None, typer.Option(help="Layer, where there are several.")] = None,
    crs: Annotated[str | None, typer.Option(help="CRS, where the file names none.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would change.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Import declared parcels; every parcel that is left out gets a reason."""
    from sen4cap.app import lpis, system
    from sen4cap.parcels import Columns

    columns = Columns(
        tuple(parcel_id_cols or ()), tuple(holding_id_cols or ()), crop_code_col, id_from_geometry
    )
    with progress_bar() as progress, system.session() as here:
        done = lpis.import_declarations(
            here,
            site,
            year,
            declarations,
            columns,
            mode=mode,
            layer=layer,
            crs=crs,
            lut=lut,
            dry_run=dry_run,
            progress=progress,
        )
    version = done.parcel_set.version if done.parcel_set else None
    value = {"version": version, "report": done.report.as_dict(), "changes": done.changes}
    emit(value, as_json, "\n".join(_lines(done)))


def _lines(done: Imported) -> list[str]:
    """What an import did; of a dry run also the first changes."""
    if done.parcel_set is not None:
        return [f"Imported version {done.parcel_set.version}.", *done.report.lines()]
    changes = [_change(row) for row in done.changes[:LISTED]]
    if len(done.changes) > LISTED:
        changes.append(f"  … and {len(done.changes) - LISTED} more (--json lists all)")
    return ["Dry run: nothing was changed.", *done.report.lines(), *changes]


def _change(row: dict[str, object]) -> str:
    told = [f"from {row['before']}"] if row["before"] else []
    told += [f"to {row['after']}"] if row["after"] else []
    return f"  {row['change']:<9} {row['ori_id']} {' '.join(told)}".rstrip()


@app.command("import-lut")
def import_lut(site: SiteName, year: Year, lut: Table, as_json: AsJson = False) -> None:
    """Import the crop table: which code is which crop, land cover and class."""
    from sen4cap.app import lpis, system

    with system.session() as here:
        count = lpis.import_lut(here, site, year, lut)
    emit({"crops": count}, as_json, f"Imported {count} crops for {year}.")


@app.command("columns")
def columns(
    declarations: Annotated[Path, typer.Argument(help="Vector file, or a zip that holds one.")],
    layer: Annotated[str | None, typer.Option(help="Layer, where there are several.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the columns of a vector file."""
    from sen4cap.geo.vector import columns_of

    found = columns_of(declarations, layer)
    emit(found, as_json, table(["column", "type"], list(found.items())))


@app.command("versions")
def versions(site: SiteName, year: Year, as_json: AsJson = False) -> None:
    """List the imports of a year."""
    from sen4cap.app import system

    with system.session() as here:
        found = here.store.parcels.versions(site, year)
    rows = [
        (
            item.parcel_set.version,
            f"{item.imported:%Y-%m-%d %H:%M}",
            item.parcel_set.count,
            "current" if item.is_current else "undone" if item.rolled_back else "",
        )
        for item in found
    ]
    columns = ["version", "imported (UTC)", "parcels", ""]
    emit([asdict(item) for item in found], as_json, table(columns, rows))


@app.command("rollback")
def rollback(
    site: SiteName,
    year: Year,
    version: Annotated[int, typer.Argument(help="Import to undo, with all after it.")],
    as_json: AsJson = False,
) -> None:
    """Undo an import and all after it."""
    from sen4cap.app import lpis, system

    with progress_bar() as progress, system.session() as here:
        standing = lpis.rollback(here, site, year, version, progress=progress)
    number = standing.version if standing else None
    text = f"Version {number} is current." if number else f"There are no parcels for {year} now."
    emit({"version": number}, as_json, text)

"""`sen4cap markers`: what the rasters say of parcels, in and out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sen4cap.cli.output import AsJson, emit, progress_bar, table

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

    from sen4cap.app.markers import Box

app = typer.Typer(help="Statistics of parcels: series and tables.", no_args_is_help=True)

SiteName = Annotated[str, typer.Argument(help="Short name of the site.")]
SeasonName = Annotated[str, typer.Argument(help="Name of the season.")]
SHOWN = 200
"""Rows that are shown to people."""


@app.command("query")
def query(
    site: SiteName,
    season: SeasonName,
    parcel: Annotated[
        list[str] | None,
        typer.Option(help="NewID, or the declared identifier (ori_id); repeatable."),
    ] = None,
    day: Annotated[
        datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="Only this day, UTC.")
    ] = None,
    bbox: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option(help="Only parcels that meet this box: west south east north, degrees."),
    ] = None,
    marker: Annotated[
        list[str] | None, typer.Option(help="Only this one, for example ndvi; repeatable.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the rows to this Parquet or CSV file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the series of parcels, or the table of a day."""
    from sen4cap.app import markers, system

    box: Box | None = bbox
    with system.session() as here:
        rows = markers.query(
            here,
            site,
            season,
            parcels=tuple(parcel or ()),
            day=day.date() if day else None,
            box=box,
            markers=tuple(marker or ()),
        )
    if out is not None:
        markers.write_rows(rows, out)
        emit(
            {"rows": rows.height, "path": str(out)}, as_json, f"Wrote {rows.height} rows to {out}."
        )
        return
    emit(rows.to_dicts() if as_json else None, as_json, _shown(rows))


def _shown(rows: pl.DataFrame) -> Table:
    """The first rows for people."""
    columns = ["marker", "parcel", "time", "orbit", "mean", "stdev", "count", "valid", "stale"]
    lines = [
        (
            row["marker"],
            row["parcel"],
            f"{row['time']:%Y-%m-%d %H:%M}",
            "" if row["orbit"] is None else row["orbit"],
            round(row["mean"], 4),
            "" if row["stdev"] is None else round(row["stdev"], 4),
            round(row["count"], 1),
            round(row["valid_fraction"], 3),
            "yes" if row["stale"] else "",
        )
        for row in rows.head(SHOWN).iter_rows(named=True)
    ]
    more = rows.height > SHOWN
    title = f"The first {SHOWN} of {rows.height:,} rows: --json or --out give all." if more else ""
    return table(columns, lines, title)


@app.command("parcels")
def parcels(site: SiteName, season: SeasonName, as_json: AsJson = False) -> None:
    """Say of every parcel what there is of it, and why there is nothing."""
    from sen4cap.app import markers, system

    with system.session() as here:
        found = markers.parcel_report(here, site, season)
    counted = found.group_by("reason").len().sort("len", descending=True)
    lines = [f"  {count:>9,}  {reason or 'has markers'}" for reason, count in counted.iter_rows()]
    text = "\n".join([f"{found.height:,} parcels (--json lists them):", *lines])
    emit(found.to_dicts() if as_json else None, as_json, text)


@app.command("import")
def import_markers(
    site: SiteName,
    season: SeasonName,
    path: Annotated[Path, typer.Argument(help="Parquet or CSV table.")],
    parcel_col: Annotated[
        list[str] | None, typer.Option(help="Column of the parcel's identifier; repeatable.")
    ] = None,
    time_col: Annotated[str | None, typer.Option(help="Column of the date or time, UTC.")] = None,
    marker_col: Annotated[
        list[str] | None,
        typer.Option(help="Column that names the marker; several are joined by '_'."),
    ] = None,
    orbit_col: Annotated[str | None, typer.Option(help="Column of the relative orbit.")] = None,
    value: Annotated[
        list[str] | None, typer.Option(help="Of a wide table: a column that is a marker.")
    ] = None,
    where: Annotated[
        str | None, typer.Option(help="SQL condition on the rows, such as \"region = 'CH'\".")
    ] = None,
    declare: Annotated[
        bool, typer.Option("--declare", help="Declare unknown parcels, without a geometry.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Take in signals of parcels that were made elsewhere."""
    from dataclasses import asdict

    from sen4cap.app import marker_import, system
    from sen4cap.processing.signals import SignalColumns

    columns = SignalColumns(
        tuple(parcel_col or ()),
        time_col,
        tuple(marker_col or ()),
        orbit_col,
        tuple(value or ()),
        where,
    )
    with progress_bar() as progress, system.session() as here:
        done = marker_import.import_markers(
            here, site, season, path, columns, declare=declare, progress=progress
        )
    lines = [
        f"Took in {done.rows:,} rows of {done.parcels:,} parcels: {', '.join(done.markers)}.",
        *([f"  {done.outside:,} rows are not of the season."] if done.outside else []),
        *([f"  {done.declared:,} parcels were declared for it."] if done.declared else []),
    ]
    emit(asdict(done), as_json, "\n".join(lines))


@app.command("export")
def export(
    site: SiteName,
    season: SeasonName,
    path: Annotated[Path, typer.Argument(help="File to write: .ipc, .arrow or .csv.")],
    marker: Annotated[list[str] | None, typer.Option(help="Only this one; repeatable.")] = None,
    statistic: Annotated[
        list[str] | None, typer.Option(help="mean, stdev, min, max, median, p25, p75, count.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a wide table with the columns of the original, a row per parcel."""
    from sen4cap.app import marker_export, system

    with progress_bar() as progress, system.session() as here:
        done = marker_export.export_markers(
            here,
            site,
            season,
            path,
            markers=tuple(marker or ()),
            statistics=tuple(statistic or ("mean", "stdev")),
            progress=progress,
        )
    value = {"path": str(done.path), "parcels": done.parcels, "columns": done.columns}
    text = f"Wrote {done.parcels:,} parcels, {done.columns:,} columns: {done.path}"
    emit(value, as_json, text)

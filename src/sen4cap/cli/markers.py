"""`sen4cap marker`: the time series of a parcel."""

from __future__ import annotations

from typing import Annotated

import typer

from sen4cap.cli.output import AsJson, emit, table

app = typer.Typer(help="Time series of parcels.", no_args_is_help=True)


@app.command("show")
def show_markers(
    site: Annotated[str, typer.Argument(help="Short name of the site.")],
    season: Annotated[str, typer.Argument(help="Name of the season.")],
    parcel: Annotated[str, typer.Argument(help="NewID, or the declared identifier (ori_id).")],
    marker: Annotated[str | None, typer.Option(help="Only this one, for example ndvi.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the time series of one parcel."""
    from sen4cap.app import markers, system

    with system.session() as here:
        series = markers.series(here, site, season, parcel, marker)
    columns = ["marker", "time", "mean", "stdev", "count", "valid_fraction", "stale"]
    rows = [
        (
            row["marker"],
            f"{row['time']:%Y-%m-%d %H:%M}",
            round(row["mean"], 4),
            round(row["stdev"], 4),
            round(row["count"], 1),
            round(row["valid_fraction"], 3),
            "yes" if row["stale"] else "",
        )
        for row in series.iter_rows(named=True)
    ]
    emit(series.to_dicts(), as_json, table(columns, rows))

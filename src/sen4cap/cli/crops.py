"""`sen4cap crop`: what became of a crop map, and what follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sen4cap.cli.output import AsJson, emit, table

app = typer.Typer(help="Crop maps after the run.", no_args_is_help=True)

SiteName = Annotated[str, typer.Argument(help="Short name of the site.")]
SeasonName = Annotated[str, typer.Argument(help="Name of the season.")]

LISTED = 20
"""Parcels that are shown to people."""


@app.command("changes")
def changes(
    site: SiteName,
    season: SeasonName,
    against: Annotated[
        str | None, typer.Option(help="Crop map to compare with; else the one made before.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="CSV of all changed parcels to write.")] = None,
    as_json: AsJson = False,
) -> None:
    """List parcels whose result differs from another run's, and why."""
    from sen4cap.app import crops, system

    with system.session() as here:
        found = crops.changes(here, site, season, against)
    if csv is not None:
        found.table.write_csv(csv)
    rows = found.table.to_dicts()
    value = {
        "current": found.current.name,
        "previous": found.previous.name,
        "differences": [
            {"cause": item.cause, "sentence": item.sentence} for item in found.differences
        ],
        "changes": rows,
    }
    title = f"{len(rows)} parcels changed since {found.previous.name}. " + " ".join(
        item.sentence for item in found.differences
    )
    columns = ["NewID", "change", "cause", "light_before", "light_after"]
    listed = [tuple(row[name] for name in columns) for row in rows[:LISTED]]
    emit(value, as_json, table(columns, listed, title))


@app.command("diversification")
def diversification(
    site: SiteName,
    season: SeasonName,
    output: Annotated[Path, typer.Argument(help="CSV of parcels to write; holdings beside it.")],
    rules: Annotated[
        Path | None, typer.Option(help="TOML of other rules than the original's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Assess the crop diversification of holdings, as the original does."""
    from sen4cap.app import crops, system

    with system.session() as here:
        done = crops.diversification(here, site, season, output, rules)
    value = {
        "product": done.product.name,
        "diagnoses": done.diagnoses,
        "files": [str(path) for path in done.files],
    }
    rows = list(done.diagnoses.items())
    emit(value, as_json, table(["diagnosis", "holdings"], rows, f"Written to {output}."))

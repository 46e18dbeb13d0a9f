"""`sen4cap mowing`: rules in; who has not mown yet, what changed, and a parcel's season."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sen4cap.cli.output import AsJson, emit, table

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer(help="Mowing: rules, lists and figures.", no_args_is_help=True)

ProductName = Annotated[
    str, typer.Argument(help="Mowing product: 'sen4cap product list' names it.")
]
ForSite = Annotated[str | None, typer.Option("--site", help="For one site instead of all.")]
Out = Annotated[Path | None, typer.Option(help="Write the rows to this Parquet or CSV file.")]
SHOWN = 200
"""Rows that are shown to people."""


@app.command("import-config")
def import_config(
    path: Annotated[Path, typer.Argument(help="S4C_L4B_Config_<year>.cfg of the original.")],
    site: ForSite = None,
    as_json: AsJson = False,
) -> None:
    """Take over the parameters and rules of a configuration file of the original."""
    from sen4cap.app import mowing, system

    with system.session() as here:
        done = mowing.import_cfg(here, path, site)
    lines = [f"{key} = {value}" for key, value in done.values.items()]
    emit(asdict(done), as_json, "\n".join([*lines, *done.notes]))


@app.command("rules")
def rules(
    path: Annotated[Path, typer.Argument(help="TOML or JSON file with [[groups]] of crops.")],
    site: ForSite = None,
    as_json: AsJson = False,
) -> None:
    """Set what is demanded of groups of crops; the next run judges by it."""
    from sen4cap.app import mowing, system

    with system.session() as here:
        found = mowing.set_rules(here, path, site)
    crops = sum(len(group.crops) for group in found.groups)
    text = f"Set rules for {crops} crops in {len(found.groups)} groups."
    emit(found.model_dump(mode="json"), as_json, text)


@app.command("pending")
def pending(
    product: ProductName,
    within: Annotated[int, typer.Option(min=0, help="Days before the deadline.")] = 14,
    deadline: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="One for all; else the windows of the rules."),
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """List parcels that are not mown yet though their deadline is near."""
    from sen4cap.app import mowing, system

    with system.session() as here:
        rows = mowing.pending(here, product, within, deadline.date() if deadline else None)
    _emit_rows(rows, out, as_json)


@app.command("changes")
def changes(
    product: ProductName,
    since: Annotated[
        str | None, typer.Option(help="Earlier product; else the one before of its season.")
    ] = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a product says otherwise than an earlier one."""
    from sen4cap.app import mowing_changes, system

    with system.session() as here:
        rows = mowing_changes.changes(here, product, since)
    _emit_rows(rows, out, as_json)


@app.command("figure")
def figure(
    product: ProductName,
    parcel: Annotated[str, typer.Argument(help="NewID, or the declared identifier.")],
    out: Annotated[Path, typer.Option(help="File to write: .png, .pdf or .svg.")],
    as_json: AsJson = False,
) -> None:
    """Draw the season of a parcel: NDVI, coherence, mowings and windows."""
    from sen4cap.app import mowing, system

    with system.session() as here:
        path = mowing.figure(here, product, parcel, out)
    emit({"path": str(path)}, as_json, f"Wrote {path}.")


def _emit_rows(rows: pl.DataFrame, out: Path | None, as_json: bool) -> None:
    if out is not None:
        from sen4cap.app import markers

        markers.write_rows(rows, out)
        told = {"rows": rows.height, "path": str(out)}
        emit(told, as_json, f"Wrote {rows.height:,} rows to {out}.")
        return
    title = f"{rows.height:,} rows" + (f", the first {SHOWN}" if rows.height > SHOWN else "")
    emit(rows.to_dicts(), as_json, table(rows.columns, list(rows.head(SHOWN).iter_rows()), title))

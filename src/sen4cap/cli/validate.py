"""`sen4cap validate`: products against measurements in the field."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sen4cap.cli.output import AsJson, emit, table

app = typer.Typer(help="Products against measurements in the field.", no_args_is_help=True)


@app.callback()
def validate() -> None:
    """Products against measurements in the field."""


@app.command("l3b")
def validate_l3b(
    measurements: Annotated[
        Path, typer.Argument(help="Table of measurements: CSV, Parquet or vector points.")
    ],
    value: Annotated[str, typer.Option(help="Column of the measured value.")],
    site: Annotated[
        str | None,
        typer.Option(help="Site whose products are compared; without it, the table's own bands."),
    ] = None,
    variable: Annotated[str, typer.Option(help="Variable, for example lai.")] = "lai",
    time: Annotated[str, typer.Option(help="Column of the day or instant, UTC.")] = "date",
    crs: Annotated[str | None, typer.Option(help="System of columns x and y.")] = None,
    days: Annotated[
        float, typer.Option(min=0, help="Most days between measurement and acquisition.")
    ] = 2.0,
    model: Annotated[str, typer.Option(help="Networks, for the table's own bands.")] = "s2toolbox",
    picture: Annotated[Path | None, typer.Option(help="PNG to write.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell correlation, RMSE and bias of LAI, FAPAR or FCOVER, and draw them."""
    from sen4cap.app import system, validation

    asked = validation.Asked(measurements, variable, value, time, crs, days)
    if site is None:
        found = validation.of_spectra(asked, model)
    else:
        with system.session() as here:
            found = validation.of_products(here, site, asked)
    if picture is not None:
        picture.write_bytes(validation.picture(found, asked))
    told = found.as_json()
    rows = [(name, "" if item is None else f"{item:.4g}") for name, item in told.items()]
    emit(told, as_json, table(["figure", "value"], rows))


@app.command("l4b")
def validate_l4b(
    truth: Annotated[
        Path,
        typer.Argument(help="Table of what was seen in the field: a row per event, or per parcel."),
    ],
    product: Annotated[str | None, typer.Option(help="Mowing product that is compared.")] = None,
    found: Annotated[
        Path | None,
        typer.Option(help="Table of detections instead: ours, or a product of the original."),
    ] = None,
    tolerance: Annotated[int, typer.Option(min=0, help="Days outside the interval.")] = 10,
    parcel_col: Annotated[
        list[str] | None, typer.Option(help="Column of the parcel's identifier; repeatable.")
    ] = None,
    date_col: Annotated[str | None, typer.Option(help="Column of the day.")] = None,
    kind_col: Annotated[str | None, typer.Option(help="Column of the kind of event.")] = None,
    kind: Annotated[str, typer.Option(help="Its value for a mowing.")] = "mowing",
    by: Annotated[
        list[str] | None, typer.Option(help="Column to tell scores by, such as region; repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell how many mowings were found, how many were false, and how far off their days are."""
    from sen4cap.app import mowing_validation, system
    from sen4cap.errors import InvalidParameter

    asked = mowing_validation.Asked(
        truth, tolerance, tuple(parcel_col or ()), date_col, kind_col, kind, tuple(by or ())
    )
    if (product is None) == (found is None):
        raise InvalidParameter("Give --product or --found: one of them is compared.")
    if product is not None:
        with system.session() as here:
            done = mowing_validation.of_product(here, product, asked)
    else:
        assert found is not None
        done = mowing_validation.of_table(found, asked)
    emit(done.as_json(), as_json, "\n".join(mowing_validation.told(done)))

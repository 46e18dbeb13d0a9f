"""`sen4cap validate`: products against measurements in the field, maps by what taught nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sen4cap.cli.output import AsJson, emit, pair, table
from sen4cap.errors import InvalidParameter

app = typer.Typer(help="How good products are.", no_args_is_help=True)


@app.callback()
def validate() -> None:
    """How good products are."""


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


@app.command("l4a")
def validate_l4a(
    site: Annotated[str, typer.Argument(help="Short name of the site.")],
    season: Annotated[str, typer.Argument(help="Name of the season that is judged.")],
    taught_in: Annotated[
        str | None, typer.Option(help="Another season, which teaches: hold-out season.")
    ] = None,
    tile: Annotated[
        list[str] | None, typer.Option(help="Hold out the parcels of a tile; may be repeated.")
    ] = None,
    bbox: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option(help="Hold out the parcels in a box: west south east north, degrees."),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(metavar="COLUMN=VALUE", help="Hold out parcels by a column of theirs."),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A parameter; may be repeated."),
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG to write.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell the accuracy of crop types: out of fold, or of a hold-out region or season."""
    from sen4cap.app import crop_validation as validation
    from sen4cap.app import system

    values = dict(pair(item) for item in given or ())
    held_out = any((tile, bbox, where))
    if held_out and taught_in is not None:
        raise InvalidParameter("Give a region or --taught-in, not both.")
    with system.session() as here:
        if taught_in is not None:
            found = validation.held_out_season(here, site, season, taught_in, values)
        elif held_out:
            column, value = pair(where) if where else ("", "")
            region = validation.Region(tuple(tile or ()), bbox, column, value)
            found = validation.held_out_region(here, site, season, region, values)
        else:
            found = validation.out_of_fold(here, site, season, values)
    if picture is not None:
        picture.write_bytes(validation.picture(found))
    rows = [_row(name, found.figures) for name in TOLD]
    told = {"how": found.how, **found.figures}
    emit(told, as_json, table(["figure", "value", "n", "95 % interval"], rows, found.how))


TOLD = ("overall_accuracy", "overall_accuracy_by_area", "kappa", "macro_f1")


def _row(name: str, figures: Mapping[str, Any]) -> tuple[str, ...]:
    """A figure with what it rests on: parcels, for the mean F1 classes."""
    counts = {"kappa": "overall_accuracy_n", "macro_f1": "macro_f1_classes"}
    value, bounds = figures[name], figures[f"{name}_interval"]
    shown = "" if value is None else f"{value:.4f}"
    number = figures[counts.get(name, f"{name}_n")]
    unit = " classes" if name == "macro_f1" else ""
    within = "" if bounds is None else f"{bounds[0]:.4f} to {bounds[1]:.4f}"
    return name, shown, f"{number}{unit}", within


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

"""`sen4cap crop`: what became of a crop map, and what follows from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sen4cap.cli.output import AsJson, emit, pair, progress_bar, table

app = typer.Typer(help="Crop maps after the run.", no_args_is_help=True)

SiteName = Annotated[str, typer.Argument(help="Short name of the site.")]
SeasonName = Annotated[str, typer.Argument(help="Name of the season.")]

Parameters = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A parameter; may be repeated."),
]

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


@app.command("teach")
def teach(
    site: SiteName,
    season: SeasonName,
    model: Annotated[Path, typer.Argument(help="File to write.")],
    given: Parameters = None,
    as_json: AsJson = False,
) -> None:
    """Teach a model by a season and keep it, to judge other seasons or sites."""
    from sen4cap.app import crop_models, system

    values = dict(pair(item) for item in given or ())
    with progress_bar() as progress, system.session() as here:
        progress(0.0, "teaching")
        made = crop_models.teach(here, site, season, model, values)
    taught = made.summary["teachers"]
    value = {"model": str(model), "features": len(made.columns), **made.summary}
    rows = [(code, name, taught[str(code)]) for code, name in made.classes]
    title = f"Written to {model}: {len(made.columns)} features, {sum(taught.values())} parcels."
    emit(value, as_json, table(["class", "name", "parcels"], rows, title))


@app.command("judge")
def judge(
    site: SiteName,
    season: SeasonName,
    model: Annotated[Path, typer.Argument(help="File that 'crop teach' wrote.")],
    output: Annotated[Path, typer.Argument(help="Table of parcels to write, CSV or Parquet.")],
    given: Parameters = None,
    as_json: AsJson = False,
) -> None:
    """Let a kept model judge the parcels of a season, which teach it nothing."""
    from sen4cap.app import crop_models, system
    from sen4cap.kernels.accuracy import wilson_interval

    values = dict(pair(item) for item in given or ())
    with progress_bar() as progress, system.session() as here:
        progress(0.0, "judging")
        found = crop_models.judge(here, site, season, model, output, values)
    share = found.agreeing / found.known if found.known else None
    within = None if share is None else wilson_interval(share, found.known).round(4).tolist()
    value = {
        "table": str(output),
        "missing_features": list(found.missing),
        "agreement": share,
        "agreement_n": found.known,
        "agreement_interval": within,
        "reasons": dict(found.table["reason"].value_counts().sort("reason").iter_rows()),
    }
    told = "none is declared as a crop that it knows"
    if share is not None and within is not None:
        told = f"{share:.4f} of {found.known} as declared ({within[0]:.4f} to {within[1]:.4f})"
    notice = f"; {len(found.missing)} features it was taught are missing" if found.missing else ""
    emit(value, as_json, f"Written to {output}: {told}{notice}.")


@app.command("by-date")
def by_date(
    site: SiteName,
    season: SeasonName,
    picture: Annotated[Path | None, typer.Option(help="PNG to write.")] = None,
    given: Parameters = None,
    as_json: AsJson = False,
) -> None:
    """Tell how well the crops are known at each month end, out of fold."""
    from sen4cap.app import crop_models, system

    values = dict(pair(item) for item in given or ())
    with progress_bar() as progress, system.session() as here:
        found = []
        for known in crop_models.by_date(here, site, season, values):
            found.append(known)
            progress(0.0, f"known by {known.day}")
    if picture is not None:
        picture.write_bytes(crop_models.picture(found))
    value = [
        {
            "day": f"{item.day}",
            "n": item.parcels,
            "overall": item.overall,
            "macro_f1": item.macro_f1,
        }
        for item in found
    ]
    rows = [
        (item.day, item.parcels, f"{item.overall:.4f}", f"{item.macro_f1:.4f}") for item in found
    ]
    emit(value, as_json, table(["by", "parcels", "overall accuracy", "mean F1"], rows))


@app.command("sign")
def sign(
    model: Annotated[Path, typer.Argument(help="A model that you trust.")], as_json: AsJson = False
) -> None:
    """Sign a model with this installation's key."""
    from sen4cap.app import crop_models, system

    with system.session() as here:
        crop_models.sign(here, model)
    emit({"model": str(model)}, as_json, f"Signed {model}.")

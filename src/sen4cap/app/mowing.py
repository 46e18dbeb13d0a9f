"""Mowing: rules and configuration in; who has not mown yet, and a parcel's season."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from sen4cap.app import config
from sen4cap.app.system import System
from sen4cap.domain import Product, ProductType
from sen4cap.errors import InputRefused, InvalidParameter, NoInput, NotFound, UnreadableFile
from sen4cap.processing import config_key, validate, write_whole
from sen4cap.processors.l4b_mowing.params import ID, MowingParams
from sen4cap.processors.l4b_mowing.rules import Rules, parsed_rules, refusal

if TYPE_CHECKING:
    import polars as pl

    from sen4cap.reports.mowing import MowingSeason

PARCELS, EVENTS, SUMMARY = "MowingDetection.parquet", "MowingEvents.parquet", "mowing.json"
CURVE = "ndvi"
COHERENCE = "cohe_"
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Imported:
    """What a configuration file of the original set."""

    values: dict[str, str]
    """By full key."""
    notes: tuple[str, ...]
    """What of the file has no effect."""


def import_cfg(system: System, path: Path, site: str | None = None) -> Imported:
    """Set the parameters of an original's configuration file, for a site or for all; all or none.

    Raises
    ------
    NotFound
        If there is no such site.
    UnreadableFile, InvalidParameter
        If the file cannot be read, or asks for what cannot be done; nothing is set.
    """
    from sen4cap.processors.l4b_mowing.cfg import read_cfg

    found = read_cfg(_text(path))
    validate(ID, MowingParams, found.values)
    stored = {
        config_key(ID, key): config.set_value(system, config_key(ID, key), value, site)
        for key, value in found.values.items()
    }
    return Imported(stored, found.notes)


def set_rules(system: System, path: Path, site: str | None = None) -> Rules:
    """Set the compliance rules of a TOML or JSON file, for a site or for all.

    Raises
    ------
    NotFound
        If there is no such site.
    UnreadableFile, InvalidParameter
        If the file cannot be read, or a rule is none; nothing is set.
    """
    rules = read_rules(path)
    config.set_value(system, config_key(ID, "compliance"), rules.text, site)
    return rules


def read_rules(path: Path) -> Rules:
    """Compliance rules of a TOML or JSON file; see `sen4cap.processors.l4b_mowing.rules`."""
    text = _text(path)
    try:
        told = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
        return Rules.model_validate(told)
    except ValidationError as error:
        raise InvalidParameter(
            f"'{path.name}' has no rules to follow: {refusal(error)}."
        ) from error
    except ValueError as error:
        raise UnreadableFile(f"'{path.name}' is neither TOML nor JSON: {error}.") from error


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"'{path}' cannot be read as text: check its name.") from error


def mowing_product(system: System, name: str) -> Product:
    """The mowing product of a name.

    Raises
    ------
    NotFound
        If there is none of this name.
    InputRefused
        If it is of another type.
    """
    product: Product = system.store.products.get(name)
    if product.type is not ProductType.L4B:
        raise InputRefused(f"'{name}' is no mowing product: see 'sen4cap product list'.")
    return product


def events_of(product: Product) -> pl.DataFrame:
    """The mowings of a product, a row per event."""
    import polars as pl

    return pl.read_parquet(product.asset(EVENTS).href).filter(pl.col("kind") == "mowing")


def parcels_of(product: Product, columns: Sequence[str]) -> pl.DataFrame:
    """Columns of the parcels of a product, a row per parcel."""
    import polars as pl

    return pl.read_parquet(product.asset(PARCELS).href, columns=list(columns))


def rules_of(product: Product) -> Rules:
    """The compliance rules that a product was made with."""
    told = json.loads(Path(product.asset(SUMMARY).href).read_text("utf-8"))
    return parsed_rules(told["parameters"]["compliance"])


def pending(system: System, name: str, within: int, deadline: date | None = None) -> pl.DataFrame:
    """Parcels that have not been mown as they must, `within` days or less before a deadline.

    Without a deadline it is the end of the window of their crop group. Days are counted from the
    last one that the product looked at. Columns `NewID`, `Ori_id`, `Ori_hold`, `Ori_crop`,
    `deadline`, `days_left`, `why`; sorted by deadline and parcel.

    Raises
    ------
    NotFound, InputRefused
        If there is no such mowing product.
    NoInput
        If neither a deadline nor rules are given.
    """
    import polars as pl

    product = mowing_product(system, name)
    last = date.fromisoformat(product.properties["searched"][1])
    columns = ("NewID", "Ori_id", "Ori_hold", "Ori_crop", "mow_n", "compl", "compl_why", "reason")
    table = parcels_of(product, columns)
    if deadline is not None:
        none, why = pl.col("mow_n") == 0, pl.lit("Not mown yet.")
        late = table.filter(none).with_columns(deadline=deadline, why=why)
    else:
        short, ends = pl.col("compl").is_in((0, 2)), _next_ends(system, product, last)
        late = table.filter(short).join(ends, on="Ori_crop").with_columns(why="compl_why")
    left = (pl.col("deadline") - pl.lit(last)).dt.total_days()
    unseen = pl.col("reason") != ""
    return (
        late.with_columns(days_left=left.cast(pl.Int32))
        .with_columns(why=pl.when(unseen).then(_sentence()).otherwise("why"))
        .filter(pl.col("days_left").is_between(0, within))
        .select("NewID", "Ori_id", "Ori_hold", "Ori_crop", "deadline", "days_left", "why")
        .sort("deadline", "NewID")
    )


def _sentence() -> pl.Expr:
    import polars as pl

    from sen4cap.domain import Reason

    sentences = {reason.value: reason.sentence for reason in Reason}
    return pl.col("reason").replace(sentences)


def _next_ends(system: System, product: Product, last: date) -> pl.DataFrame:
    """`Ori_crop` and `deadline`: the next end of a window of each crop."""
    import polars as pl

    from sen4cap.processors.l4b_mowing.compliance import spans

    year = system.store.seasons.get(product.site, product.season).year
    groups = rules_of(product).groups
    if not groups:
        raise NoInput(
            f"'{product.name}' was made without compliance rules: give --deadline, or set rules "
            "with 'sen4cap mowing rules'."
        )
    rows = []
    for group in groups:
        ends = [EPOCH + timedelta(days=span.last) for span in spans(group.windows, year)]
        if ahead := [end for end in ends if end >= last]:
            rows += [(crop, min(ahead)) for crop in group.crops]
    return pl.DataFrame(rows, schema={"Ori_crop": pl.String, "deadline": pl.Date}, orient="row")


def figure(system: System, name: str, parcel: str, path: Path) -> Path:
    """Draw the season of a parcel of a product as PNG, PDF or SVG, by the file's ending.

    Raises
    ------
    NotFound
        If there is no such product or parcel.
    InvalidParameter
        If the ending tells none of the formats.
    """
    from sen4cap.reports.mowing import FORMATS, mowing_figure

    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise InvalidParameter(f"'{path.name}' must end in one of {', '.join(FORMATS)}.")
    picture = mowing_figure(season_of(system, name, parcel), kind)
    with write_whole(path) as temporary:
        temporary.write_bytes(picture)
    return path


def season_of(system: System, name: str, parcel: str) -> MowingSeason:
    """What the figure of a parcel shows: its markers, events and windows."""
    import polars as pl

    from sen4cap.app.markers import parcel_number, places_of, table_of
    from sen4cap.processors.l4b_mowing.compliance import spans
    from sen4cap.reports.mowing import MowingSeason

    product = mowing_product(system, name)
    season = system.store.seasons.get(product.site, product.season)
    number = parcel_number(system, season, parcel)
    table = parcels_of(product, ("NewID", "Ori_id", "Ori_crop", "compl_why"))
    rows = table.filter(pl.col("NewID") == number)
    if rows.is_empty():
        raise NotFound(f"Product '{name}' has no parcel '{parcel}': it was not monitored.")
    [row] = rows.to_dicts()
    shown = table_of(system, season)
    wanted = [item for item in shown.markers() if item == CURVE or item.startswith(COHERENCE)]
    series = shown.series(places_of(system, season, [number]), markers=wanted)
    groups = [group for group in rules_of(product).groups if row["Ori_crop"] in group.crops]
    windows = [span for group in groups for span in spans(group.windows, season.year)]
    events = pl.read_parquet(product.asset(EVENTS).href).filter(pl.col("NewID") == number)
    first, last = (date.fromisoformat(day) for day in product.properties["searched"])
    return MowingSeason(
        title=f"Parcel {row['Ori_id']}, crop {row['Ori_crop']}, season {season.name}",
        searched=(first, last),
        series=series.filter(~pl.col("stale").fill_null(value=False)),
        events=events,
        windows=tuple(
            (EPOCH + timedelta(span.first), EPOCH + timedelta(span.last)) for span in windows
        ),
        verdict=row["compl_why"],
    )

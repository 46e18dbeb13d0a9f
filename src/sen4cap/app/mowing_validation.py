"""Mowing products, or tables of detections, against events that were observed in the field.

The table of the field says for each parcel that was watched when it was mown; a parcel that was
not mown has a row without a date, or one of another kind of event. Found events of parcels that
nobody watched do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sen4cap.errors import InputRefused, MissingColumn, NoInput, UnreadableFile

if TYPE_CHECKING:
    import polars as pl

    from sen4cap.app.system import System
    from sen4cap.kernels.event_scores import Compared, EventScores, Rate

PARCEL = ("parcel", "parcel_id", "plot_id", "ori_id", "NewID", "id")
DAY = ("day", "date", "event_date", "time")
KIND = ("kind", "event", "event_type")
"""Names under which columns are found, in any case, where none is given."""
FIRST, LAST = ("first", "start", "from"), ("last", "end", "to")
CLASSES = 10
"""Of probability."""
MOWING = "mowing"
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Asked:
    """What is compared, and how."""

    truth: Path
    """CSV, Parquet or any vector format: a row per event, or parcel without one."""
    tolerance: int = 10
    """Days by which the true day may lie outside the interval."""
    parcel: Sequence[str] = ()
    """Columns that make the identifier, joined by '-'."""
    day: str | None = None
    kind: str | None = None
    """Column of the kind of event, where there are several."""
    is_mowing: str = MOWING
    """Its value for a mowing."""
    groups: Sequence[str] = ()
    """Columns by which scores are told, such as region and year."""


@dataclass(frozen=True)
class Validation:
    """What came of it."""

    overall: EventScores
    groups: tuple[tuple[tuple[str, ...], EventScores], ...]
    """By the values of the columns of groups."""
    reliability: tuple[tuple[float, float, float, Rate], ...]
    unwatched: int
    """Found events of parcels that are not in the table of the field."""
    outside: int
    """True events outside the days that were searched."""

    def as_json(self) -> dict[str, Any]:
        """The figures; None where one is not defined."""
        told: dict[str, Any] = {
            "overall": asdict(self.overall),
            "groups": [{"group": list(group), **asdict(item)} for group, item in self.groups],
            "reliability": [
                {"from": low, "to": high, "mean": mean, **asdict(rate)}
                for low, high, mean, rate in self.reliability
            ],
            "unwatched": self.unwatched,
            "outside": self.outside,
        }
        return {name: _without_nan(item) for name, item in told.items()}


def told(found: Validation) -> list[str]:
    """The figures in lines for people."""
    lines = ["all", *_lines(found.overall)]
    for group, item in found.groups:
        lines += [" ".join(group), *_lines(item)]
    lines.append("probability   mean   true")
    lines += [
        f"  {low:.1f}-{high:.1f}      {mean:.2f}   {_percent(item)}"
        for low, high, mean, item in found.reliability
    ]
    lines += [f"{found.unwatched} found events are of parcels that nobody watched."] * bool(
        found.unwatched
    )
    lines += [f"{found.outside} true events lie outside the days searched."] * bool(found.outside)
    return lines


def _lines(item: EventScores) -> list[str]:
    days = (
        f"median {item.days_median:.1f}, mean {item.days_mean:.1f}, "
        f"90 % within {item.days_p90:.1f}, bias {item.days_bias:+.1f}"
    )
    counts = f"{item.matched} of {item.true} true, {item.found} found, {item.parcels} parcels"
    return [
        f"  F1 {item.f1:.3f}: {counts}",
        f"  precision    {_percent(item.precision)}",
        f"  recall       {_percent(item.recall)}",
        f"  right number {_percent(item.right_count)}, off by {item.count_error:.2f} per parcel",
        f"  days off     {days}",
        f"  day inside   {_percent(item.inside)}",
    ]


def _percent(item: Rate) -> str:
    return f"{item.share:.3f} ({item.low:.3f}-{item.high:.3f}, n = {item.number})"


def of_product(system: System, name: str, asked: Asked) -> Validation:
    """Compare a mowing product with what was observed in the days that it searched.

    Raises
    ------
    NotFound
        If there is no such product.
    NoInput
        If it is no mowing product, or none of its parcels was watched.
    MissingColumn, InputRefused, UnreadableFile
        If the table of the field cannot be used.
    """
    import polars as pl

    from sen4cap.app.mowing import events_of, mowing_product, parcels_of

    product = mowing_product(system, name)
    events = events_of(product)
    judged = parcels_of(product, ("NewID", "Ori_id"))
    first, last = (date.fromisoformat(day) for day in product.properties["searched"])
    truth = read_truth(asked)
    numbers = judged.select(pl.col("NewID").cast(pl.String).alias("parcel"), name="Ori_id")
    truth = truth.with_columns(_declared(truth["parcel"], numbers))
    known = truth.filter(pl.col("parcel").is_in(judged["Ori_id"].to_list()))
    inside = pl.col("day").is_null() | pl.col("day").is_between(first, last)
    kept = known.with_columns(day=pl.when(inside).then("day"))
    found = events.rename({"Ori_id": "parcel"}).drop("NewID")
    outside = known.height - known.filter(inside).height
    return _validation(kept, found, asked, outside)


def of_table(path: Path, asked: Asked) -> Validation:
    """Compare a table of detections, ours or one of the original, with what was observed.

    Ours has a row per event with the columns `Ori_id` (or those that are asked for), `first`,
    `last`, and perhaps `day`, `probability` and `kind`; the original's a row per parcel with
    `m1_dstart`, `m1_dend` ….

    Raises
    ------
    NoInput
        If no parcel was watched.
    MissingColumn, InputRefused, UnreadableFile
        If one of the tables cannot be used.
    """
    return _validation(read_truth(asked), read_found(path, asked.parcel), asked, 0)


def read_truth(asked: Asked) -> pl.DataFrame:
    """Columns `parcel` (text), `day` (null where there was none) and those of the groups."""
    import polars as pl

    table = read_table(asked.truth)
    lost = [name for name in asked.groups if name not in table.columns]
    if lost:
        _missing(asked.truth, lost[0], table)
    day = _dates(table, _column(table, asked.truth, DAY, asked.day), asked.truth)
    kind = _column(table, asked.truth, KIND, asked.kind, needed=False)
    mown = pl.lit(value=True) if kind is None else pl.col(kind).cast(pl.String) == asked.is_mowing
    return table.select(
        _identifier(table, asked.truth, asked.parcel),
        pl.when(mown).then(day).alias("day"),
        *(pl.col(name).cast(pl.String) for name in asked.groups),
    )


def read_found(path: Path, parcel: Sequence[str] = ()) -> pl.DataFrame:
    """Columns `parcel`, `first`, `day`, `last`, `probability` of the mowings of a table."""
    import polars as pl

    table = read_table(path)
    if "m1_dstart" in table.columns:
        return _of_original(table, path, parcel)
    first, last = (
        _dates(table, _column(table, path, names, None), path) for names in (FIRST, LAST)
    )
    day = _column(table, path, DAY, None, needed=False)
    mown = pl.col("kind") == MOWING if "kind" in table.columns else pl.lit(value=True)
    chance = pl.col("probability") if "probability" in table.columns else pl.lit(1.0)
    return table.filter(mown).select(
        _identifier(table, path, parcel),
        first=first,
        day=_middle(first, last) if day is None else _dates(table, day, path),
        last=last,
        probability=chance.cast(pl.Float32),
    )


def _of_original(table: pl.DataFrame, path: Path, parcel: Sequence[str]) -> pl.DataFrame:
    """Events of the columns `m1_dstart` …, where a date of "0" is none."""
    import polars as pl

    names = {name.lower(): name for name in table.columns}
    identifier = _identifier(table, path, parcel or [names.get("ori_id", "NewID")])

    def instant(name: str) -> pl.Expr:
        return pl.col(name).cast(pl.String).str.slice(0, 10).str.to_date(strict=False)

    parts = [
        table.select(
            identifier,
            first=instant(f"m{number}_dstart"),
            last=instant(f"m{number}_dend"),
            probability=pl.col(f"m{number}_conf").cast(pl.Float32),
        )
        for number in range(1, 5)
    ]
    found = pl.concat(parts).drop_nulls(["first", "last"])
    return found.with_columns(day=_middle(pl.col("first"), pl.col("last")))


def _middle(first: pl.Expr, last: pl.Expr) -> pl.Expr:
    """The day between two, the later one of two."""
    import polars as pl

    return first + pl.duration(days=((last - first).dt.total_days() + 1) // 2)


def read_table(path: Path) -> pl.DataFrame:
    """Any table or vector file, without geometry.

    Raises
    ------
    UnreadableFile
        If it is neither.
    """
    import polars as pl

    try:
        if path.suffix.lower() == ".csv":
            return pl.read_csv(path, try_parse_dates=True, infer_schema_length=None)
        if path.suffix.lower() == ".parquet":
            table = pl.read_parquet(path)
            return table.drop(name for name, kind in table.schema.items() if kind == pl.Binary)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UnreadableFile(f"'{path}' cannot be read as a table: give CSV or Parquet.") from error
    from sen4cap.geo.vector import read_vector

    frame = read_vector(path)
    return pl.from_pandas(frame.drop(columns=frame.geometry.name))


def _column(
    table: pl.DataFrame,
    path: Path,
    known: Sequence[str],
    given: str | None,
    *,
    needed: bool = True,
) -> str | None:
    names = {name.lower(): name for name in table.columns}
    wanted = known if given is None else (given,)
    for name in wanted:
        if name.lower() in names:
            return names[name.lower()]
    if needed or given is not None:
        _missing(path, wanted[0], table)
    return None


def _missing(path: Path, name: str, table: pl.DataFrame) -> None:
    known = ", ".join(table.columns)
    raise MissingColumn(f"'{path.name}' has no column '{name}'; it has: {known}.")


def _identifier(table: pl.DataFrame, path: Path, parcel: Sequence[str]) -> pl.Expr:
    import polars as pl

    given: Sequence[str | None] = parcel or [None]
    columns = [_column(table, path, PARCEL, name) for name in given]
    texts = [pl.col(name).cast(pl.String) for name in columns if name is not None]
    return pl.concat_str(texts, separator="-").alias("parcel")


def _dates(table: pl.DataFrame, name: str | None, path: Path) -> pl.Expr:
    import polars as pl

    assert name is not None
    kind = table.schema[name]
    if kind == pl.String:
        return pl.col(name).str.slice(0, 10).str.to_date(strict=False)
    if not kind.is_temporal():
        raise InputRefused(f"Column '{name}' of '{path.name}' holds no dates: name another.")
    return pl.col(name).cast(pl.Date)


def _declared(names: pl.Series, numbers: pl.DataFrame) -> pl.Series:
    """Declared identifiers of parcels that are given by them or by `NewID`."""
    by_number = dict(numbers.iter_rows())
    declared = set(by_number.values())
    return names.map_elements(
        lambda name: name if name in declared else by_number.get(name, name),
        return_dtype=names.dtype,
    ).alias("parcel")


def _validation(truth: pl.DataFrame, found: pl.DataFrame, asked: Asked, outside: int) -> Validation:
    import numpy as np

    watched = truth.select("parcel").unique().sort("parcel").with_row_index("position")
    if watched.is_empty():
        raise NoInput(
            f"No parcel of '{asked.truth.name}' is in what was found: check the identifiers."
        )
    compared = _compared(truth, found, watched, asked.tolerance)
    labels = truth.group_by("parcel").first().sort("parcel").select(asked.groups)
    groups = []
    for values in labels.unique().sort(asked.groups).iter_rows() if asked.groups else ():
        members = np.array([row == values for row in labels.iter_rows()])
        groups.append((tuple(map(str, values)), compared.scores(members)))
    edges = np.linspace(0, 1, CLASSES + 1)
    return Validation(
        overall=compared.scores(),
        groups=tuple(groups),
        reliability=tuple(compared.reliability(edges)),
        unwatched=found.height - len(compared.found.parcel),
        outside=outside,
    )


def _compared(
    truth: pl.DataFrame, found: pl.DataFrame, watched: pl.DataFrame, tolerance: int
) -> Compared:
    import numpy as np
    import polars as pl

    from sen4cap.kernels.event_scores import Compared
    from sen4cap.kernels.mowing import mowings

    days = [pl.col(name).cast(pl.Date).cast(pl.Int32) for name in ("first", "last", "day")]
    kept = found.join(watched, on="parcel").select("position", *days, "probability")
    rows = kept.sort("position", "day", "first", "last")
    known = truth.drop_nulls("day").join(watched, on="parcel").sort("position", "day")
    columns = ("position", "first", "last", "day", "probability")
    parcel, first, last, day, chance = (rows[name].to_numpy() for name in columns)
    events = mowings(parcel, first, last, day, chance)
    return Compared.of(
        watched.height,
        known["position"].to_numpy().astype(np.int64),
        known["day"].cast(pl.Date).cast(pl.Int32).to_numpy(),
        events,
        tolerance,
    )


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and isnan(value) else value

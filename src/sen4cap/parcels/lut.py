"""The crop table: what a declared crop code means, and which class it is learnt as."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from sen4cap.errors import EmptyLayer, InputRefused, MissingColumn, UnreadableFile

NUMBERS = ("ctnum", "lc", "ctnuml4a", "ctnumdiv")
FLAGS = ("eaa", "al", "pgrass", "tgrass", "fallow", "cwater")
ORDER = (
    *("ori_crop", "ctnum", "ct", "lc", "ctnuml4a", "ctl4a", "ctnumdiv", "ctdiv"),
    *FLAGS,
)
REQUIRED = ("ori_crop", "ct", "lc", "ctnuml4a", "ctl4a")
MONITORED = (1, 2, 3, 4)
"""Land covers with results: annual crop, permanent crop, grassland, fallow; 0 and 5 have none."""
LAND_COVERS = (0, *MONITORED, 5)
NAMES: Mapping[str, str] = {"name": "ct"}
"""Other spellings of a column."""
EMPTY = ("", "NA", "NULL")
TRUTH = {"true": "1", "false": "0", "t": "1", "f": "0", "yes": "1", "no": "0"}


def read_lut(path: Path) -> pl.DataFrame:
    """A crop table with the columns of `ORDER`, one row per `ori_crop`, in file order.

    The separator (comma, semicolon, tab, bar) and the encoding (UTF-8, Latin-1) are found out;
    column names count in any case. `ori_crop` is text as it stands. Without them, `ctnum` is the
    row's number, `ctnumdiv` and `ctdiv` are those of L4A, the flags 0; an empty `lc` is 0, and an
    empty class number of a land cover that is not monitored is 0.

    Raises
    ------
    UnreadableFile
        If it is no text table.
    EmptyLayer
        If there is no row.
    MissingColumn
        Naming all required columns that are missing.
    InputRefused
        If a number is none, a land cover is not 0-5, or a crop code is missing or repeated; row
        and column are named.
    """
    table = _named(_read(path), path.name)
    if table.is_empty():
        raise EmptyLayer(f"'{path.name}' has no row: give one row per crop code.")
    if missing := [name for name in REQUIRED if name not in table.columns]:
        raise MissingColumn(
            f"'{path.name}' has no column {', '.join(missing)}; "
            f"there are: {', '.join(table.columns)}."
        )
    _refuse_codes(table, path.name)
    return _completed(_numbers(table, path.name), path.name)


def repeated_numbers(lut: pl.DataFrame) -> tuple[int, ...]:
    """Values of `ctnum` that several crops share, sorted; the original refuses them."""
    counts = lut.group_by("ctnum").len().filter(pl.col("len") > 1)
    return tuple(counts["ctnum"].sort())


def _read(path: Path) -> pl.DataFrame:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"'{path.name}' cannot be read: check its name.") from error
    text = _decoded(raw)
    header = text.partition("\n")[0]
    separator = max(",;\t|", key=header.count)
    if "\0" in text or not header.count(separator):
        raise UnreadableFile(
            f"'{path.name}' is no table of text: save it as CSV with a header line."
        )
    try:
        table = pl.read_csv(io.StringIO(text), separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UnreadableFile(
            f"'{path.name}' is no clean CSV ({reason}): check its separators and quotes."
        ) from error
    return table.select(pl.all().fill_null("").str.strip_chars())


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _named(table: pl.DataFrame, file: str) -> pl.DataFrame:
    """The table under lower-case names, columns of other names left out."""
    lower = [name.strip().lower() for name in table.columns]
    names = [name if NAMES.get(name, "") in lower else NAMES.get(name, name) for name in lower]
    if twice := sorted({name for name in names if names.count(name) > 1 and name in ORDER}):
        raise InputRefused(f"'{file}' has the column '{twice[0]}' twice: keep one.")
    wanted = {old: new for old, new in zip(table.columns, names, strict=True) if new in ORDER}
    if not wanted:
        raise MissingColumn(
            f"'{file}' has no column {', '.join(REQUIRED)}; there are: {', '.join(names)}."
        )
    return table.select(list(wanted)).rename(wanted)


def _refuse_codes(table: pl.DataFrame, file: str) -> None:
    codes = table["ori_crop"]
    if (codes == "").any():
        row = int((codes == "").arg_true()[0]) + 2
        raise InputRefused(f"'{file}' has no ori_crop in row {row}: give the code or drop the row.")
    if codes.is_duplicated().any():
        again = ", ".join(codes.filter(codes.is_duplicated()).unique().sort())
        raise InputRefused(f"'{file}' has several rows for ori_crop {again}: keep one of each.")


def _numbers(table: pl.DataFrame, file: str) -> pl.DataFrame:
    """Number and flag columns as integers, null where empty."""
    given = [name for name in (*NUMBERS, *FLAGS) if name in table.columns]
    text = table.with_columns(
        pl.when(pl.col(name).is_in(EMPTY))
        .then(None)
        .otherwise(pl.col(name).str.to_lowercase().replace(TRUTH).str.replace(r"\.0+$", ""))
        .alias(name)
        for name in given
    )
    numbers = text.with_columns(pl.col(given).cast(pl.Int64, strict=False))
    for name in given:
        _refuse(table, name, text[name].is_not_null() & numbers[name].is_null(), file)
    return numbers


def _refuse(table: pl.DataFrame, name: str, wrong: pl.Series, file: str) -> None:
    if wrong.any():
        row = int(wrong.arg_true()[0])
        value = table[name][row]
        raise InputRefused(
            f"'{file}' has {name} = '{'' if value is None else value}' in row {row + 2}: "
            f"give {'0-5' if name == 'lc' else '0 or 1' if name in FLAGS else 'a whole number'}."
        )


def _completed(table: pl.DataFrame, file: str) -> pl.DataFrame:
    table = table.with_columns(pl.col("lc").fill_null(0))
    _refuse(table, "lc", ~table["lc"].is_in(LAND_COVERS), file)
    monitored = table["lc"].is_in(MONITORED)
    _refuse(table, "ctnuml4a", monitored & table["ctnuml4a"].is_null(), file)
    for name in FLAGS:
        if name in table.columns:
            _refuse(table, name, ~table[name].fill_null(0).is_in((0, 1)), file)
    position = pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
    defaults = {"ctnum": position, "ctnumdiv": pl.col("ctnuml4a"), "ctdiv": pl.col("ctl4a")}
    table = table.with_columns(pl.col("ctnuml4a").fill_null(0))
    for name, default in {**defaults, **dict.fromkeys(FLAGS, pl.lit(0, pl.Int64))}.items():
        value = pl.col(name).fill_null(default) if name in table.columns else default
        table = table.with_columns(value.alias(name))
    return table.select(ORDER)

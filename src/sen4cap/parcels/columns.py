"""Which columns of the declarations say what, and the texts made from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sen4cap.domain.parcel import COLUMNS
from sen4cap.errors import InputRefused, MissingColumn

RESERVED = ("ori_id", "ori_hold", "ori_crop")
ADDED = (*COLUMNS, "S1Pix", "S2Pix")
"""Names that a declared attribute cannot keep."""
SUFFIX = "_declared"


@dataclass(frozen=True)
class Columns:
    """Names of the columns to read, in any case."""

    parcel_id: tuple[str, ...] = ()
    """Joined by '-' they make `ori_id`."""
    holding_id: tuple[str, ...] = ()
    """Joined by '-' they make `ori_hold`; none where holdings are unknown."""
    crop_code: str | None = None
    """None where no crop was declared."""
    id_from_geometry: bool = False
    """Whether the hash of the geometry is the identifier, instead of columns."""


def resolve(columns: Columns, available: Iterable[str]) -> Columns:
    """The same columns as the file spells them.

    Raises
    ------
    MissingColumn
        If one is not there; the message lists those that are.
    InputRefused
        If no identifier is named, or the file uses a reserved name.
    """
    names = list(available)
    _refuse_reserved(names)
    if not columns.parcel_id and not columns.id_from_geometry:
        raise InputRefused(
            "No parcel identifier is named: give --parcel-id-cols, or --id-from-geometry."
        )
    return Columns(
        tuple(_spelled(name, names) for name in columns.parcel_id),
        tuple(_spelled(name, names) for name in columns.holding_id),
        None if columns.crop_code is None else _spelled(columns.crop_code, names),
        columns.id_from_geometry,
    )


def _refuse_reserved(names: list[str]) -> None:
    if taken := [name for name in names if name.lower() in RESERVED]:
        raise InputRefused(
            f"The declarations have a column '{taken[0]}', a name that the import makes itself: "
            "rename it."
        )


def _spelled(wanted: str, names: list[str]) -> str:
    if wanted in names:
        return wanted
    alike = [name for name in names if name.casefold() == wanted.casefold()]
    if len(alike) != 1:
        raise MissingColumn(
            f"The declarations have no column '{wanted}'; there are: {', '.join(names)}."
        )
    return alike[0]


def attributes(declared: pd.DataFrame) -> pd.DataFrame:
    """Declared attributes, those with a name of ours under `<name>_declared`, index from 0."""
    ours = {name.lower() for name in ADDED}
    renamed = {name: name + SUFFIX for name in declared.columns if name.lower() in ours}
    frame = pd.DataFrame(declared).rename(columns=renamed).reset_index(drop=True)
    nothing = [name for name, values in frame.items() if _is_untyped(values)]
    return frame.astype(dict.fromkeys(nothing, "str"))


def _is_untyped(values: pd.Series) -> bool:
    return values.dtype == object and bool(values.isna().all())


def as_text(values: pd.Series) -> pd.Series:
    """A column as text without surrounding blanks: 593.0 is '593'; empty is missing."""
    if pd.api.types.is_float_dtype(values.dtype):
        values = _whole(values)
    texts = values.astype("str").str.strip()
    return texts.mask(values.isna() | (texts == ""))


def _whole(values: pd.Series) -> pd.Series:
    known = values.dropna()
    if (known == np.floor(known)).all() and (known.abs() < 2**63).all():
        return values.astype("Int64")
    return values


def joined(declared: pd.DataFrame, names: tuple[str, ...]) -> pd.Series:
    """Columns as text, joined by '-'; missing where all of them are.

    Missing throughout where no column is named.
    """
    result = pd.Series(np.nan, index=declared.index, dtype="str")
    if not names:
        return result
    parts = [as_text(declared[name]) for name in names]
    known = np.logical_or.reduce([part.notna() for part in parts])
    whole = parts[0].fillna("")
    for part in parts[1:]:
        whole = whole + "-" + part.fillna("")
    return whole.where(known, result)


def unique_ids(ids: pd.Series, digests: NDArray[np.object_], *ties: pd.Series) -> pd.Series:
    """Identifiers, repeated ones with suffixes -A … -Z, -AA … in the order of `digests`.

    Equal digests are ordered by `ties`, then by row. A suffix that would make an identifier that
    was declared is left out: A, A, A-A become A-B, A-C, A-A.
    """
    repeated = ids.duplicated(keep=False)
    if not repeated.any():
        return ids
    table = pd.DataFrame({"id": ids, "digest": digests})
    table = table.assign(**{f"tie{i}": tie.fillna("") for i, tie in enumerate(ties)})
    ordered = table[repeated].sort_values(list(table.columns), kind="stable")["id"]
    return ids.mask(repeated, _suffixed(ordered, ids))


def _suffixed(ordered: pd.Series, declared: pd.Series) -> pd.Series:
    """Identifiers with the first suffixes, in order, that make none of those declared."""
    place = ordered.groupby(ordered).cumcount()
    while True:
        names = ordered + "-" + place.map({number: letters(number) for number in place.unique()})
        taken = names.isin(declared)
        if not taken.any():
            return names
        place += taken.groupby(ordered).cummax()


def letters(number: int) -> str:
    """A for 0 … Z for 25, AA for 26, as spreadsheets count columns."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def numbered(texts: pd.Series, known: pd.Series) -> pd.Series:
    """Numbers of texts: the known ones, then new ones after the greatest, in order of text.

    Parameters
    ----------
    texts
        Identifiers; missing ones have no number.
    known
        Numbers ever given, indexed by identifier.
    """
    fresh = np.sort(texts[~texts.isin(known.index)].dropna().unique().astype(object))
    first = int(known.max()) + 1 if len(known) else 1
    new = pd.Series(np.arange(first, first + len(fresh)), index=fresh)
    numbers = pd.concat([known, new]) if len(known) else new
    return texts.map(numbers).astype("Int64")

"""What changed against another run, and why.

A crop map follows from its inputs alone, so that what differs between the inputs of two runs is
why their maps differ. A parcel's declared class changes by its declaration or the crop table; all
else may have any cause, because one model judges all: where several inputs differ, only a run with
one of them as it was would tell which.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import polars as pl

from sen4cap.processing import Context, Step
from sen4cap.processors.l4a_crop_type.params import ID, VERSION, CropTypeParams

WATCHED = {
    "CT_decl": "declared",
    "CT_pred_1": "predicted",
    "light": "light",
    "why": "why",
    "reason": "reason",
}
"""Columns of a crop type table that are compared, and what a change of theirs is called."""
NEW, GONE = "new", "gone"
"""What is said of parcels that only one of the tables has."""


class Cause(StrEnum):
    """Why a result differs."""

    IMAGE = "image"
    """Acquisitions came or went, or were replaced."""
    DECLARATION = "declaration"
    """The parcel set is another version."""
    LUT = "lut"
    """The crop table is another."""
    PARAMETER = "parameter"
    VERSION = "version"
    """The processor is another version."""
    SEVERAL = "several"
    """More than one of these."""
    UNKNOWN = "unknown"
    """Nothing that is recorded differs."""


@dataclass(frozen=True)
class Provenance:
    """What a crop type product was made from."""

    processor: str
    """Short name and version: `s4c_l4a/2`."""
    parameters: Mapping[str, Any]
    """Values by key."""
    inputs: Mapping[str, str]
    """Revision of each marker product, by name."""
    parcels: str
    """Digest of the parcel set."""
    parcels_version: int
    lut: str
    """Digest of the crop table."""

    def as_json(self) -> dict[str, Any]:
        """As it stands in `accuracy.json` under `provenance`."""
        return asdict(self)

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Provenance:
        """The reverse of `as_json`; `TypeError` where a key lacks or is too many."""
        return cls(**value)


@dataclass(frozen=True)
class Difference:
    """One thing that differs between the inputs of two runs."""

    cause: Cause
    sentence: str


def provenance_of(ctx: Context, params: CropTypeParams, step: Step) -> Provenance:
    """What the product of a step is made from."""
    lut = b"" if ctx.lut is None else ctx.lut.read_bytes()
    return Provenance(
        processor=f"{ID}/{VERSION}",
        parameters=params.model_dump(mode="json", by_alias=True),
        inputs={product.name: product.revision for product in step.inputs},
        parcels=ctx.parcels.digest,
        parcels_version=ctx.parcels.version,
        lut=hashlib.sha256(lut).hexdigest()[:32],
    )


def differences(before: Provenance, after: Provenance) -> tuple[Difference, ...]:
    """What differs between the inputs of two runs, one sentence each."""
    return tuple(
        Difference(cause, sentence)
        for cause, found in (
            (Cause.IMAGE, _images(before.inputs, after.inputs)),
            (Cause.DECLARATION, _declarations(before, after)),
            (Cause.LUT, _lut(before.lut, after.lut)),
            (Cause.PARAMETER, _parameters(before.parameters, after.parameters)),
            (Cause.VERSION, _version(before.processor, after.processor)),
        )
        for sentence in found
    )


def _images(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    common = before.keys() & after.keys()
    counts = {
        "came": len(after.keys() - common),
        "went": len(before.keys() - common),
        "changed": sum(before[name] != after[name] for name in common),
    }
    for verb, count in counts.items():
        if count:
            yield f"{count} marker product{'s' if count > 1 else ''} {verb}."


def _declarations(before: Provenance, after: Provenance) -> Iterator[str]:
    if before.parcels != after.parcels:
        yield f"Parcels are version {after.parcels_version}, they were {before.parcels_version}."


def _lut(before: str, after: str) -> Iterator[str]:
    if before != after:
        yield "The crop table is another."


def _parameters(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key, "not there"), after.get(key, "not there")
        if old != new:
            yield f"{key} is {new}, it was {old}."


def _version(before: str, after: str) -> Iterator[str]:
    if before != after:
        yield f"Made by {after}, it was {before}."


def changes(
    previous: pl.DataFrame,
    current: pl.DataFrame,
    previous_provenance: Provenance,
    current_provenance: Provenance,
) -> pl.DataFrame:
    """Parcels whose class, light or reason is another than it was, sorted by `NewID`.

    Parameters
    ----------
    previous, current
        Crop type tables: `NewID` and the columns of `WATCHED`; one that lacks is empty throughout.

    Returns
    -------
    `NewID`; `change`: `new`, `gone`, or the names of `WATCHED` that differ, joined by `,`; `cause`:
    code of `Cause`; `causes`: all of them, joined by `,`; each watched column `_before` and
    `_after`, missing where the parcel had or has none.
    """
    old, new = _watched(previous), _watched(current)
    both = old.join(new, "NewID", "full", suffix="_after", coalesce=True)
    differ = [pl.col(name).ne_missing(pl.col(f"{name}_after")) for name in WATCHED]
    named = zip(WATCHED.values(), differ, strict=True)
    words = [pl.when(other).then(pl.lit(word)) for word, other in named]
    change = (
        pl.when(pl.col("here").is_null())
        .then(pl.lit(NEW))
        .when(pl.col("here_after").is_null())
        .then(pl.lit(GONE))
        .otherwise(pl.concat_str(words, separator=",", ignore_nulls=True))
    )
    causes = [item.cause for item in differences(previous_provenance, current_provenance)]
    pairs = [
        pl.col(column).alias(f"{name}_{when}")
        for name in WATCHED
        for when, column in (("before", name), ("after", f"{name}_after"))
    ]
    return (
        both.with_columns(change=change)
        .filter(pl.col("change") != "")
        .with_columns(_causes(list(dict.fromkeys(causes))))
        .with_columns(cause=_cause())
        .select("NewID", "change", "cause", "causes", *pairs)
        .sort("NewID")
    )


def _watched(table: pl.DataFrame) -> pl.DataFrame:
    columns = [
        pl.col(name) if name in table.columns else pl.lit(None, pl.String).alias(name)
        for name in WATCHED
    ]
    return table.select("NewID", *columns, here=pl.lit(value=True))


def _causes(found: Sequence[Cause]) -> pl.Expr:
    """All causes that a change may have, joined."""
    own = [item for item in found if item in {Cause.DECLARATION, Cause.LUT}] or found
    declared = pl.col("change").str.split(",").list.set_intersection([NEW, GONE, "declared"])
    texts = (",".join(items) or Cause.UNKNOWN for items in (own, found))
    of_declaration, of_any = (pl.lit(str(text)) for text in texts)
    chosen = pl.when(declared.list.len() > 0).then(of_declaration).otherwise(of_any)
    return chosen.alias("causes")


def _cause() -> pl.Expr:
    several = pl.col("causes").str.contains(",")
    return pl.when(several).then(pl.lit(str(Cause.SEVERAL))).otherwise(pl.col("causes"))

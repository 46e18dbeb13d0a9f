"""What an import did, or would do: counts that add up, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import geopandas as gpd
import pandas as pd
import polars as pl

from sen4cap.domain import Reason
from sen4cap.parcels.changes import Comparison
from sen4cap.parcels.declared import Declared
from sen4cap.parcels.lut import repeated_numbers

SHOWN = 5
"""Codes that are named in a line; the JSON holds all."""


@dataclass(frozen=True)
class Report:
    """Counts of an import. Every declared row is a parcel; none is left out."""

    mode: str
    declared: int
    """Rows in the file."""
    parcels: int
    """Parcels of the new version that are not deleted."""
    used: int
    """Parcels without a reason."""
    area_hectares: float
    """Area of the parcels, each counted in full, 0.1 ha."""
    reasons: Mapping[str, int]
    """Parcels per reason code, worst first; with `used` they sum to `parcels`."""
    fixes: Mapping[str, int]
    """Declared geometries per thing done to them."""
    new: int
    unchanged: int
    """Same geometry and same crop as before."""
    changed_geometry: int
    changed_crop: int
    removed: int
    """Parcels of the version before that are declared no longer."""
    split: int
    """Parcels of the version before that now are several."""
    to_extract: int
    """Parcels with a geometry that is new or changed."""
    repeated_ids: int
    """Identifiers that several rows had; these have suffixes now."""
    ids_from_geometry: int
    """Rows whose identifier is the hash of their geometry."""
    unknown_crops: Mapping[str, int]
    """Rows per declared code that is not in the crop table; most first."""
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """All counts, for JSON and for the store."""
        return {**asdict(self), "warnings": list(self.warnings)}

    def to_json(self) -> str:
        """All counts as indented JSON; the same for the same import."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False)

    def lines(self) -> list[str]:
        """The report in sentences, one per line."""
        size = (
            f"{self.declared} declared; the set has {self.parcels} parcels, "
            f"{self.area_hectares:.1f} ha, {self.used} without remark."
        )
        moves = (
            f"{self.new} new, {self.changed_geometry} with another geometry, "
            f"{self.changed_crop} with another crop, {self.unchanged} unchanged, "
            f"{self.removed} removed, {self.split} split; {self.to_extract} to extract."
        )
        return [
            size,
            *(f"{count} {code}: {Reason(code).sentence}" for code, count in self.reasons.items()),
            *(f"Geometries {fix}: {count}." for fix, count in self.fixes.items()),
            moves,
            *self._remarks(),
            *self.warnings,
        ]

    def _remarks(self) -> list[str]:
        codes = list(self.unknown_crops.items())
        named = ", ".join(f"{code} ({count})" for code, count in codes[:SHOWN])
        more = f" and {len(codes) - SHOWN} more" if len(codes) > SHOWN else ""
        repeated, made = self.repeated_ids, self.ids_from_geometry
        remarks = (
            (repeated, f"Identifiers that were repeated and have suffixes now: {repeated}."),
            (made, f"Identifiers made from the geometry: {made}."),
            (codes, f"Crop codes that are not in the crop table: {named}{more}."),
        )
        return [sentence for there, sentence in remarks if there]


def report_of(
    mode: str,
    frame: gpd.GeoDataFrame,
    declared: Declared,
    found: Comparison,
    *,
    changes: pd.DataFrame,
    lut: pl.DataFrame | None,
) -> Report:
    """The counts of an import, from the new version, its declarations and their comparison."""
    alive, fresh = frame[~frame["is_deleted"]], declared.frame
    per_reason = alive["reason"].value_counts()
    shaped = fresh.geometry.notna().to_numpy()
    return Report(
        mode=mode,
        declared=len(fresh),
        parcels=len(alive),
        used=int((alive["reason"] == "").sum()),
        area_hectares=round(float(alive["Area_meters"].sum()) / 10_000, 1),
        reasons={str(r): int(per_reason[r]) for r in Reason if r in per_reason},
        fixes={str(k): int(v) for k, v in _counts(fresh["geom_fix"]).items() if k},
        new=int(found.new.sum()),
        unchanged=int((~found.new & ~found.geometry & ~found.crop).sum()),
        changed_geometry=int(found.geometry.sum()),
        changed_crop=int(found.crop.sum()),
        removed=int(found.removed.sum()),
        split=int(changes.loc[changes["change"] == "split", "NewID"].nunique()),
        to_extract=int(((found.new | found.geometry) & shaped).sum()),
        repeated_ids=declared.repeated_ids,
        ids_from_geometry=declared.ids_from_geometry,
        unknown_crops=_unknown_crops(fresh["ori_crop"], lut),
        warnings=_warnings(lut),
    )


def _counts(values: pd.Series) -> dict[str, int]:
    """Occurrences, most first, then by name."""
    counts = values.value_counts().items()
    return dict(sorted(counts, key=lambda item: (-item[1], item[0])))


def _unknown_crops(crops: pd.Series, lut: pl.DataFrame | None) -> dict[str, int]:
    if lut is None:
        return {}
    declared = crops.dropna()
    unknown = declared[~declared.isin(lut["ori_crop"].to_list())]
    return {str(code): int(count) for code, count in _counts(unknown).items()}


def _warnings(lut: pl.DataFrame | None) -> tuple[str, ...]:
    shared = () if lut is None else repeated_numbers(lut)
    if not shared:
        return ()
    numbers = ", ".join(map(str, shared))
    return (f"Several crops of the crop table share ctnum {numbers}.",)

"""Parcels: a versioned set of declared fields, and why one of them is left out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Mode(StrEnum):
    """What an import makes of parcels that are not declared any more."""

    UPDATE = "update"
    """They stay, marked as deleted."""
    REPLACE = "replace"
    """They are no part of the new version; their numbers stay theirs."""
    INCREMENTAL = "incremental"
    """They stay as they are."""


class Reason(StrEnum):
    """Why a parcel has no result, or cannot be used to train. One per parcel, worst first."""

    NO_GEOMETRY = "no_geometry"
    EMPTY_GEOMETRY = "empty_geometry"
    INVALID_GEOMETRY = "invalid_geometry"
    DUPLICATE = "duplicate"
    OVERLAP = "overlap"
    NO_CROP = "no_crop"
    CROP_NOT_IN_LUT = "crop_not_in_lut"
    LAND_COVER = "land_cover"
    OUTSIDE_GRID = "outside_grid"
    TOO_SMALL = "too_small"
    NO_DATA = "no_data"
    FEW_DATES = "few_dates"
    RARE_CLASS = "rare_class"

    @property
    def sentence(self) -> str:
        """The reason in words."""
        return _SENTENCES[self]


GEOMETRY_REASONS = (Reason.NO_GEOMETRY, Reason.EMPTY_GEOMETRY, Reason.INVALID_GEOMETRY)
"""Reasons of parcels that have no area to look at."""

_SENTENCES = {
    Reason.NO_GEOMETRY: "The declaration has no geometry.",
    Reason.EMPTY_GEOMETRY: "The geometry encloses no area.",
    Reason.INVALID_GEOMETRY: "The geometry is invalid and could not be repaired.",
    Reason.DUPLICATE: "Another parcel has the same geometry.",
    Reason.OVERLAP: "More than 10 % of the parcel is covered by other parcels.",
    Reason.NO_CROP: "No crop was declared.",
    Reason.CROP_NOT_IN_LUT: "The declared crop code is not in the crop table.",
    Reason.LAND_COVER: "The declared crop belongs to a land cover that is not monitored.",
    Reason.OUTSIDE_GRID: "No raster of the site covers the parcel.",
    Reason.TOO_SMALL: "The parcel holds too few pixels.",
    Reason.NO_DATA: "No clear observation of the parcel in the season.",
    Reason.FEW_DATES: "Too few clear observations of the parcel to tell anything.",
    Reason.RARE_CLASS: "Too few parcels declare this crop to learn it.",
}


@dataclass(frozen=True)
class ParcelSet:
    """One version of the parcels of a site and year. Immutable once written."""

    site: str
    """Short name of the site."""
    year: int
    version: int
    """From 1, one more with each import."""
    path: Path
    """GeoParquet file, one row per parcel, sorted by `NewID`, deleted parcels included."""
    digest: str
    """Hash of the contents, 32 hex digits."""
    count: int
    """Rows that are not deleted."""


COLUMNS = {
    "NewID": "number of the parcel within site and year; kept for a known ori_id for ever",
    "ori_id": "identifier as declared: id columns joined by '-', repeated ones with a suffix",
    "ori_hold": "holding as declared: columns joined by '-'",
    "HoldID": "number of the holding within site and year",
    "ori_crop": "crop code as declared, text; missing where none was",
    "GeomValid": "whether the declared geometry was valid (it is repaired where it was not)",
    "geom_fix": "what was done to the geometry: '', 'repaired', 'flattened', 'linearized'",
    "Duplic": "whether another parcel has the same geometry",
    "Overlap": "whether other parcels cover more than 10 % of it",
    "overlap_ratio": "share of its area that other parcels cover, 0-1",
    "Area_meters": "area, m², on the ellipsoid",
    "ShapeInd": "perimeter / (2·sqrt(pi·area)); 1 is a circle",
    "n_parts": "number of polygons",
    "geom_hash": "hash of the repaired geometry, 16 hex digits; equal means nothing to extract",
    "geom_change_ratio": "changed area over common and changed area since the version before, 0-1",
    "is_deleted": "whether the newest declarations no longer hold it",
    "reason": "code of `Reason`, or '' where the parcel is used",
}
"""Columns of a parcel set, in order; the further columns of the declarations follow, then geometry.

`geometry` is a MultiPolygon in the CRS of the declarations."""

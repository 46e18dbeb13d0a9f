"""Declarations and the crop table, made into versioned parcel sets."""

from sen4cap.domain.parcel import Mode
from sen4cap.parcels.columns import Columns
from sen4cap.parcels.lut import read_lut
from sen4cap.parcels.prepare import Prepared, prepare
from sen4cap.parcels.report import Report

__all__ = ["Columns", "Mode", "Prepared", "Report", "prepare", "read_lut"]

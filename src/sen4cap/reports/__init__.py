"""Reports for people: figures, pages, and scores against the truth."""

from sen4cap.reports.agreement import class_picture
from sen4cap.reports.crop_type import (
    CropReport,
    ParcelCurve,
    build_crop_report,
    parcel_to_show,
    write_crop_report,
)
from sen4cap.reports.pictures import season_picture
from sen4cap.reports.scores import Scores, score, with_truth

__all__ = [
    "CropReport",
    "ParcelCurve",
    "Scores",
    "build_crop_report",
    "class_picture",
    "parcel_to_show",
    "score",
    "season_picture",
    "with_truth",
    "write_crop_report",
]

"""The words of the system as frozen values. No I/O, no framework."""

from sen4cap.domain.config import ConfigEntry, ConfigMetadata, DataType
from sen4cap.domain.grid import MGRS_TILE, Grid, PixelRule, Sensor, finest
from sen4cap.domain.job import Ending, Job, StartType, Status, StepRecord
from sen4cap.domain.parcel import ParcelSet, Reason
from sen4cap.domain.product import Asset, Product, ProductType, Role, revision_of, slot_of
from sen4cap.domain.service import Service
from sen4cap.domain.site import Season, Site, short_name
from sen4cap.domain.time import Dekad, as_utc, dekad_of

__all__ = [
    "MGRS_TILE",
    "Asset",
    "ConfigEntry",
    "ConfigMetadata",
    "DataType",
    "Dekad",
    "Ending",
    "Grid",
    "Job",
    "ParcelSet",
    "PixelRule",
    "Product",
    "ProductType",
    "Reason",
    "Role",
    "Season",
    "Sensor",
    "Service",
    "Site",
    "StartType",
    "Status",
    "StepRecord",
    "as_utc",
    "dekad_of",
    "finest",
    "revision_of",
    "short_name",
    "slot_of",
]

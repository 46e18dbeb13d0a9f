"""From found files to products: what the numbers mean, decided once and recorded."""

from sen4cap.acquisition.ingest import radiometry_of, to_product
from sen4cap.acquisition.pixels import dark_pixels
from sen4cap.acquisition.radiometry import DarkPixels, Decision, Evidence, Radiometry, decide

__all__ = [
    "DarkPixels",
    "Decision",
    "Evidence",
    "Radiometry",
    "dark_pixels",
    "decide",
    "radiometry_of",
    "to_product",
]

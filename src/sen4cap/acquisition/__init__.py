"""From found files to products: what the numbers mean, decided once and recorded."""

from typing import TYPE_CHECKING, Any

from sen4cap.acquisition.ingest import radiometry_of, to_product
from sen4cap.acquisition.radiometry import DarkPixels, Decision, Evidence, Radiometry, decide

if TYPE_CHECKING:
    from sen4cap.acquisition.pixels import dark_pixels

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


def __getattr__(name: str) -> Any:
    """What reads pixels, imported when it is wanted: declarations must be there fast."""
    if name != "dark_pixels":
        raise AttributeError(name)
    from sen4cap.acquisition.pixels import dark_pixels

    return dark_pixels

"""Rasters: the public face of reading and writing."""

from sen4cap.geo.read import (
    STRIP_ROWS,
    grid_of,
    open_asset,
    read_codes,
    read_overview,
    read_physical,
    sample,
    strips,
    verify,
    widened,
)
from sen4cap.geo.scratch import Described, Scratch
from sen4cap.geo.write import Block, cog_of, encode, write_cog, write_quicklook

__all__ = [
    "STRIP_ROWS",
    "Block",
    "Described",
    "Scratch",
    "cog_of",
    "encode",
    "grid_of",
    "open_asset",
    "read_codes",
    "read_overview",
    "read_physical",
    "sample",
    "strips",
    "verify",
    "widened",
    "write_cog",
    "write_quicklook",
]

"""Where inputs come from.

`discover` finds products in a folder; `check_meets` refuses one that lies beside the site.
`catalogue.open_source` opens somewhere that scenes can be found at and fetched from.
"""

from sen4cap.sources.folder import discover
from sen4cap.sources.footprint import check_meets

__all__ = ["check_meets", "discover"]

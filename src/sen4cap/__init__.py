"""sen4cap: what grows on each parcel, and was it farmed as declared, from Sentinel images."""

from importlib.metadata import version

__version__ = version("sen4cap")

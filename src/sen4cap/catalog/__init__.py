"""Products as STAC Items."""

from sen4cap.catalog.item import from_dict, from_item, to_dict, to_item

__all__ = ["from_dict", "from_item", "to_dict", "to_item"]

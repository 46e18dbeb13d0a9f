"""The processors that are installed, found by entry point: the built-in ones are plug-ins too."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from sen4cap.errors import NotFound
from sen4cap.processing.processor import Processor

GROUP = "sen4cap.processors"


@cache
def processors() -> dict[str, Processor]:
    """All installed processors by short name, sorted."""
    found = (point.load() for point in entry_points(group=GROUP))
    return {item.id: item for item in sorted(found, key=lambda item: str(item.id))}


@cache
def _by_any_name() -> dict[str, Processor]:
    """Processors by short name and alias; a short name goes before an alias."""
    known = processors()
    return {alias: item for item in known.values() for alias in item.aliases} | known


def processor(short_name: str) -> Processor:
    """The processor of a short name or alias.

    Raises
    ------
    NotFound
        If none is installed under that name.
    """
    try:
        return _by_any_name()[short_name]
    except KeyError:
        known = ", ".join(processors())
        raise NotFound(f"There is no processor '{short_name}'; there are: {known}.") from None

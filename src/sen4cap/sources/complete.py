"""Answers to a search: understood or refused, each scene once, and none missing without a word."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sen4cap.errors import ServiceUnavailable

T = TypeVar("T")
REPEATED = 3
"""Pages in a row without anything new after which a search is given up."""


@contextmanager
def understood(source: str, protocol: str, *more: type[Exception]) -> Iterator[None]:
    """What is not said as a protocol has it, in a sentence; `more` are errors of its library.

    Raises
    ------
    ServiceUnavailable
        If something below does not find what the protocol promises.
    """
    told: tuple[type[Exception], ...] = (AttributeError, LookupError, TypeError, ValueError, *more)
    try:
        yield
    except told as error:
        raise ServiceUnavailable(
            f"Source '{source}' does not answer as {protocol} ({type(error).__name__}: {error}): "
            "check its endpoint, or try again later."
        ) from error


def each_once(
    source: str, pages: Iterable[tuple[list[T], int | None]], key: Callable[[T], str]
) -> list[T]:
    """What is on the pages, each once; a page is its entries and how many the search matches.

    Raises
    ------
    ServiceUnavailable
        If the source repeats its pages, or has given fewer than it said it would.
    """
    seen: dict[str, T] = {}
    told: int | None = None
    idle = 0
    for entries, matched in pages:
        told = matched if matched is not None else told
        fresh = {key(entry): entry for entry in entries if key(entry) not in seen}
        idle = 0 if fresh or not entries else idle + 1
        if idle and (told is None or idle >= REPEATED):
            raise ServiceUnavailable(
                f"Source '{source}' repeats a page of its answer: nothing of this search is "
                "used, try again later."
            )
        seen.update(fresh)
    if told is not None and len(seen) < told:
        raise ServiceUnavailable(
            f"Source '{source}' says {told} scenes match and gave {len(seen)}: "
            "nothing of this search is used, try again later."
        )
    return list(seen.values())

"""Metadata files in XML, read so that nothing in them can do harm; namespaces are left out."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from sen4cap.domain import as_utc
from sen4cap.errors import UnreadableDate, UnreadableFile


def parse(path: Path) -> Element:
    """Root element of an XML file that declares no document type, so that nothing can expand.

    Raises
    ------
    UnreadableFile
        If it is missing, not well-formed, or declares a document type.
    """
    # A document type, the way to all attacks through XML, is refused.
    parser = XMLParser(target=_NoDoctype())  # noqa: S314
    try:
        parser.feed(path.read_bytes())
        root = parser.close()
    except (OSError, ParseError, _DoctypeFound) as error:
        raise UnreadableFile(
            f"'{path}' is not a readable metadata file ({error}): download the product again."
        ) from error
    assert isinstance(root, Element)
    return root


class _DoctypeFound(Exception):
    pass


class _NoDoctype(TreeBuilder):
    def doctype(self, *_: object) -> None:
        raise _DoctypeFound("it declares a document type")

    def start(self, tag: str, attrs: dict[str, str]) -> Element:
        return super().start(tag.rpartition("}")[2], attrs)

    def end(self, tag: str) -> Element:
        return super().end(tag.rpartition("}")[2])


def text_of(path: Path, root: Element, *tags: str) -> str:
    """Text of the first element under one of several names, newest name first.

    Raises
    ------
    UnreadableFile
        If there is none.
    """
    for tag in tags:
        if text := next((item.text for item in root.iter(tag) if item.text), None):
            return text.strip()
    raise UnreadableFile(f"'{path}' has no {tags[0]}: download the product again.")


def number_of(path: Path, root: Element, *tags: str) -> float:
    """As `text_of`, a number.

    Raises
    ------
    UnreadableFile
        If there is none.
    """
    text = text_of(path, root, *tags)
    try:
        return float(text)
    except ValueError as error:
        raise UnreadableFile(
            f"'{path}' gives '{text}' as {tags[0]}: download the product again."
        ) from error


def instant(path: Path, text: str) -> datetime:
    """A UTC instant from ISO 8601 text.

    Raises
    ------
    UnreadableDate
        Naming the file the text stands in.
    """
    try:
        return as_utc(datetime.fromisoformat(text))
    except ValueError as error:
        raise UnreadableDate(
            f"'{path}' gives '{text}' as a date: write it as 2018-07-17T10:53:28Z."
        ) from error

"""File-name patterns of raster series: `NDVI_{date}.tif`, `{tile}_{date}_{band}.tif`.

A pattern is literal text with tokens. One that holds a `/` is matched against the path below the
folder, else against the file name alone. `*` and `{_}` stand for anything but a `/`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from sen4cap.domain import MGRS_TILE
from sen4cap.errors import InvalidParameter

TOKENS = {
    "date": r"\d[\d-]*\d",
    "time": r"\d{4,6}",
    "datetime": r"\d{8}T?\d{6}Z?",
    "band": r"[A-Za-z0-9]+",
    "tile": r"[A-Za-z0-9-]+",
    "orbit": r"R?\d{1,3}",
}
"""Regular expression of each token; `date` is loose, so that a wrong date is seen as one."""

TIME_UNKNOWN = time(10)
"""UTC time of day of a raster of which only the date is known. It falls on that date in every time
zone from Hawaii (-10) to New Zealand in summer (+13); midnight and noon do not."""

_TOKEN = re.compile(r"\{(\w*)\}|\*")
_WORD = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern."""

    text: str
    regex: re.Pattern[str]
    words: tuple[str, ...]
    """Words of its literal text: `NDVI`, `tif`."""

    def match(self, relative_path: str) -> dict[str, str] | None:
        """Values of the tokens in a path (parts joined by `/`); None if it does not match."""
        subject = relative_path if "/" in self.text else relative_path.rpartition("/")[2]
        match = self.regex.fullmatch(subject)
        return None if match is None else match.groupdict()


def compile_pattern(text: str) -> Pattern:
    """The pattern of a text.

    Raises
    ------
    InvalidParameter
        If it has no date, an unknown token, or a token twice.
    """
    names = [name for name in _TOKEN.findall(text) if name not in {"", "_"}]
    unknown = [name for name in names if name not in TOKENS]
    known = ", ".join(f"{{{name}}}" for name in TOKENS)
    if unknown:
        raise InvalidParameter(f"'{{{unknown[0]}}}' is no token of a pattern; there are: {known}.")
    if len(set(names)) < len(names):
        raise InvalidParameter(
            f"Pattern '{text}' holds a token twice: write {{_}} for one of them."
        )
    if not {"date", "datetime"} & set(names):
        raise InvalidParameter(f"Pattern '{text}' has no {{date}}: say where the date stands.")
    literals = _WORD.findall(_TOKEN.sub(" ", text))
    return Pattern(text, re.compile(_regex(text), re.IGNORECASE), tuple(literals))


def _regex(text: str) -> str:
    parts, end = [], 0
    for token in _TOKEN.finditer(text):
        parts.append(re.escape(text[end : token.start()]))
        name = token[1] or "_"
        parts.append(r"[^/]*?" if name == "_" else f"(?P<{name}>{TOKENS[name]})")
        end = token.end()
    return "".join(parts) + re.escape(text[end:])


def instant_of(values: dict[str, str]) -> tuple[datetime, bool]:
    """UTC instant of the tokens of a match, and whether its time of day is known.

    Where it is not, it is `TIME_UNKNOWN`.

    Raises
    ------
    ValueError
        If there is no such date or time.
    """
    if "datetime" in values:
        digits = re.sub(r"\D", "", values["datetime"])
        return datetime.combine(_date(digits[:8]), _time(digits[8:]), UTC), True
    day = _date(values["date"])
    if "time" in values:
        return datetime.combine(day, _time(values["time"]), UTC), True
    return datetime.combine(day, TIME_UNKNOWN, UTC), False


def _date(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}|\d{8}", text):
        raise ValueError(text)
    return date.fromisoformat(text)


def _time(text: str) -> time:
    return time.fromisoformat(text)


def tile_name(text: str) -> str:
    """Name of a tile; an MGRS tile without its leading `T`."""
    return text[1:] if re.fullmatch(f"T{MGRS_TILE}", text) else text

"""Names that become folders, files and columns: what they may be made of."""

from __future__ import annotations

import re

from sen4cap.errors import InvalidParameter

LONGEST = 63
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def check_name(what: str, name: str, longest: int = LONGEST) -> None:
    """Refuse a name that cannot safely stand in a path; `what` it names is told.

    Raises
    ------
    InvalidParameter
        If it is empty, longer than `longest` characters or holds others than allowed.
    """
    if not _NAME.fullmatch(name) or len(name) > longest:
        raise InvalidParameter(
            f"'{name}' cannot name a {what}: use at most {longest} letters, digits, '.', '_' "
            "and '-', the first a letter or digit."
        )

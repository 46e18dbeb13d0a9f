"""What every source yields: things that may be products, not looked into yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sen4cap.domain.found import Found


@dataclass(frozen=True)
class Candidate:
    """Something that looks like a product."""

    path: Path
    """What to name to people."""
    find: Callable[[], Found]
    """Looks into it; raises `InputRefused` where it cannot be used."""

"""What is demanded of groups of crops: data, not code.

    [[groups]]
    name = "Meadow, late cut"
    crops = ["EPT", "MNP"]
    windows = [["07-15", "03-01"]]      # mown within one of these; the second lies in the next year
    min_events = 1                      # so often within the windows
    max_events = 2                      # in all
    forbidden = [["04-01", "07-14"]]    # not surely within one of these
    min_interval = 30                   # days from one cut to the next
    exclusive = true                    # not outside the windows: the original's rule of Lithuania

Days are `MM-DD`; a window begins in the year of the season. An event is known as an interval: it
counts within a window that it meets, and against a rule only where the whole interval does.
"""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

LEAP_YEAR = 2000


class Group(BaseModel):
    """What is demanded of some crops."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    crops: tuple[str, ...] = Field(min_length=1)
    """Declared crop codes, as text."""
    name: str = ""
    windows: tuple[tuple[str, str], ...] = ()
    """None: the whole period that is looked at."""
    forbidden: tuple[tuple[str, str], ...] = ()
    min_events: int = Field(default=1, ge=0)
    max_events: int | None = Field(default=None, ge=0)
    min_interval: int = Field(default=0, ge=0)
    exclusive: bool = False

    @field_validator("windows", "forbidden")
    @classmethod
    def _days(cls, value: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        for day in (day for window in value for day in window):
            try:
                date.fromisoformat(f"{LEAP_YEAR}-{day}")
            except ValueError as error:
                raise ValueError(f"'{day}' is no day: give MM-DD, such as 04-01") from error
        return value


class Rules(BaseModel):
    """All groups; no crop is in two of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    groups: tuple[Group, ...] = ()

    @model_validator(mode="after")
    def _once(self) -> Self:
        codes = [code for group in self.groups for code in group.crops]
        if twice := sorted({code for code in codes if codes.count(code) > 1}):
            raise ValueError(f"crop code '{twice[0]}' is in several groups: keep it in one")
        return self

    @cached_property
    def text(self) -> str:
        """The JSON text that `parsed_rules` reads."""
        return self.model_dump_json(exclude_defaults=True)


def parsed_rules(text: str) -> Rules:
    """Rules from JSON text; none from an empty one.

    Raises
    ------
    ValueError
        Saying in one sentence what is wrong.
    """
    if not text:
        return Rules()
    try:
        return Rules.model_validate_json(text)
    except ValidationError as error:
        raise ValueError(refusal(error)) from error


def refusal(error: ValidationError) -> str:
    """What is wrong first, and where."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message

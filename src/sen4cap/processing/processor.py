"""The processor contract: what a folder under `processors` must offer.

products ─select→ steps ─run→ new products
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sen4cap.domain import Product, ProductType
from sen4cap.processing.params import Params

if TYPE_CHECKING:
    from sen4cap.processing.context import Context


@dataclass(frozen=True)
class Step:
    """One schedulable piece of a job: the products it reads, and what it will stand for."""

    inputs: tuple[Product, ...]
    """Sorted by name."""
    slot: str
    """Slot of the product it makes, see `sen4cap.domain.slot_of`."""
    revision: str = ""
    """Revision of the product it makes; set by the planner."""
    previous: Product | None = None
    """What stands in the slot now, made from other inputs; set by the planner."""


@dataclass(frozen=True)
class Scope:
    """What a selection is made for: names and bounds, no I/O."""

    site: str
    """Short name of the site."""
    season: str
    start: datetime
    """First instant of the season, UTC."""
    end: datetime
    """First instant after the season, UTC."""
    timezone: str = "UTC"
    """IANA zone of the site's days."""


Select = Callable[[Any, Scope, Sequence[Product]], Sequence[Step]]
Run = Callable[["Context", Any, Step], Product]
Refusal = Callable[[Any, Scope, Sequence[Product]], str]
Finish = Callable[["Context", Any], None]


@dataclass(frozen=True)
class Processor:
    """Declaration of a processor, read in a minute."""

    id: str
    """Short name, as in configuration keys: `s4c_l4a`."""
    version: str
    """Changes whenever the same inputs would give other outputs."""
    title: str
    description: str
    category: str
    """Tab of its configuration, as the original names it: `L4A`."""
    params: type[Params]
    consumes: tuple[ProductType, ...]
    produces: ProductType
    needs_parcels: bool
    """Whether its steps read the season's parcels."""
    select: Select
    """(params, scope, products of the consumed types in the season) → steps. Pure."""
    run: Run
    """(context, params, step) → the product of the step. The only place with I/O."""
    aliases: tuple[str, ...] = ()
    """Further short names that it is asked for by; what is recorded is its `id`."""
    needs_lut: bool = False
    """Whether its steps read the crop look-up table."""
    per_season: bool = True
    """Whether its products belong to a season; a raster of an acquisition belongs to none."""
    refusal: Refusal | None = None
    """As `select`, where that finds nothing → why, one sentence; empty where there is no more to
    say than that there is nothing. Pure."""
    finish: Finish | None = None
    """(context, params): tidying once all steps of a job are done; changes no result."""
    pool: str = ""
    """Name of the pool whose limit, `executor.pool.<name>`, its running steps share."""
    triggered_by: tuple[ProductType, ...] = ()
    """A new product of these types leads to a job without anyone asking."""

    @property
    def tag(self) -> str:
        """Short name and version, as recorded with products: `l3b/1`."""
        return f"{self.id}/{self.version}"

"""An installation that acquires from sources made for it: small scenes, one site, one season."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from sen4cap.app import config
from sen4cap.app.acquiring import fetch
from sen4cap.app.acquisition import Cycle
from sen4cap.app.system import System, session, sync_config
from sen4cap.domain import Season, Site
from sen4cap.domain.ledger import Entry
from sen4cap.domain.scene import Scene
from sen4cap.settings import Settings
from sen4cap.testing import scenes as made
from sen4cap.testing.memory import memory_store
from sen4cap.testing.rasters import small_grid
from sen4cap.testing.source import FolderSource, offered, opened_from

SITE, SEASON, TILE = "nld_2019", "2019", "31UES"
FIRST = datetime(2019, 5, 3, 10, 50, 31, tzinfo=UTC)
"""Sensing start of the first scene; the others follow every ten days."""
NOW = datetime(2019, 6, 10, 12, tzinfo=UTC)
STEP = timedelta(days=10)
BANDS = ("B02", "B03", "B04", "B08")


def image(day: int, *, shifted: bool = True) -> dict[str, Any]:
    """Bands of a scene: bright fields, dark water, no cloud; of another day, others."""
    chance = np.random.default_rng(day)
    reflectances = {band: chance.uniform(0.02, 0.25, (16, 16)) for band in BANDS}
    bands = {
        band: made.digital_numbers(values, shifted=shifted) for band, values in reflectances.items()
    }
    return {**bands, "SCL": np.full((8, 8), 4, np.uint8)}


def scene(number: int = 0, **changes: Any) -> made.Scene:
    """The scene of a pass, by its number."""
    baseline = changes.get("baseline", "05.10")
    bands = image(number, shifted=baseline >= "04.00")
    grid = small_grid(16, 16, corner=(550_000.0, 5_680_000.0), name=TILE)
    values = {"bands": bands, "grid": grid, "start": FIRST + number * STEP, **changes}
    return made.Scene(**values)


@dataclass
class Farm:
    """An installation with its sources and clock."""

    system: System
    folder: Path
    sources: tuple[FolderSource, ...]
    now: datetime = NOW
    offers: int = field(default=0)

    def offer(self, source: int, scene: made.Scene, **more: Any) -> Scene:
        """Let a source have a product; returns what it tells of it."""
        self.offers += 1
        here = self.sources[source]
        told = offered(self.folder / f"offer-{self.offers}", scene, here.name, **more)
        here.scenes.append(told)
        return told

    def fetch(self) -> Cycle:
        """Acquire here and now."""
        return fetch(self.system, SITE, opened_from(self.sources), now=lambda: self.now)

    def entries(self, stage: str = "l2a") -> list[Entry]:
        """What the ledger says of a stage."""
        return [entry for entry in self.system.store.ledger.entries(SITE) if entry.stage == stage]

    def states(self, stage: str = "l2a") -> dict[str, str]:
        """State by day."""
        return {f"{entry.time:%m-%d}": entry.state.value for entry in self.entries(stage)}


@contextmanager
def farm(
    folder: Path, settings: Mapping[str, str] | None = None, *, in_memory: bool = False
) -> Iterator[Farm]:
    """Yield an installation of a site whose season has two sources, `one` and `two`."""
    sources = (FolderSource("one"), FolderSource("two"))
    opened = _in_memory if in_memory else session
    with opened(Settings(home=folder / "home", cores=1)) as system, patched(sources):
        _populate(
            system, {"source.s2.primary": "one", "source.disk-margin": "0", **(settings or {})}
        )
        yield Farm(system, folder / "offers", sources)


@contextmanager
def _in_memory(settings: Settings) -> Iterator[System]:
    system = System(settings, memory_store())
    sync_config(system)
    yield system


@contextmanager
def patched(sources: Sequence[FolderSource]) -> Iterator[None]:
    """Let steps that run in this process open these sources."""
    opened = opened_from(sources)
    with patch("sen4cap.app.fetching.source_of", lambda _ctx, name: opened(name)):
        yield


def _populate(system: System, settings: Mapping[str, str]) -> None:
    corners = scene().corners
    (west, south), (east, north) = corners.min(axis=0), corners.max(axis=0)
    outline = (
        f"POLYGON (({west} {south}, {east} {south}, {east} {north}, {west} {north}, "
        f"{west} {south}))"
    )
    system.store.sites.add(Site("Nederland", SITE, "Europe/Amsterdam", outline, True))
    system.store.seasons.add(Season(SITE, SEASON, date(2019, 5, 1), date(2019, 9, 30)))
    for key, value in settings.items():
        config.set_value(system, key, value)

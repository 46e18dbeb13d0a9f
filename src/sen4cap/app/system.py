"""An installation that is open for work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sen4cap.acquisition.params import CATEGORY as ACQUISITION
from sen4cap.acquisition.params import AcquisitionParams
from sen4cap.app.ports import Store
from sen4cap.domain import ConfigMetadata
from sen4cap.engine.params import CATEGORY, ExecutorParams
from sen4cap.processing import Params, config_key, config_metadata, processors
from sen4cap.processing.params import ENGINE
from sen4cap.settings import Settings

NOBODY = ""
"""Owner of parameters whose keys are whole."""


@dataclass(frozen=True)
class System:
    """Store, archive and settings, passed to every verb."""

    settings: Settings
    store: Store

    @property
    def archive(self) -> Path:
        """Root folder of all products."""
        return self.settings.archive_root


@contextmanager
def session(settings: Settings | None = None) -> Iterator[System]:
    """An installation that is open, its declared parameters up to date; closed at the end.

    Raises
    ------
    ServiceUnavailable
        If the database cannot be reached.
    Conflict
        If its tables are not those of this version.
    """
    from sen4cap.store import open_store

    settings = settings or Settings()
    with closing(open_store(settings.url)) as store:
        if settings.is_embedded:
            store.upgrade()
        store.check_current()
        system = System(settings, store)
        sync_config(system)
        yield system


def declarations() -> list[tuple[str, str, type[Params]]]:
    """Owner, category and parameters of whatever declares some: processors, engine, acquisition."""
    found = [(item.id, item.category, item.params) for item in processors().values()]
    shared: list[tuple[str, str, type[Params]]] = [
        (ENGINE, CATEGORY, ExecutorParams),
        (NOBODY, ACQUISITION, AcquisitionParams),
    ]
    return [*found, *shared]


def full_key(owner: str, key: str) -> str:
    """Full configuration key of a parameter; where nobody owns it, it is whole already."""
    return config_key(owner, key) if owner else key


def declared_config() -> tuple[ConfigMetadata, ...]:
    """Every configuration key of every installed processor and of the engine.

    The engine is the installation's: its keys have no value of a site.
    """
    return tuple(
        replace(
            row,
            key=full_key(owner, row.key.removeprefix(config_key(owner, ""))),
            is_site_visible=row.is_site_visible and owner != ENGINE,
        )
        for owner, category, params in declarations()
        for row in config_metadata(owner, category, params)
    )


def sync_config(system: System) -> None:
    """Write the declared parameters into the store; values that a user set stay."""
    system.store.processors.sync(processors().values())
    system.store.config.sync(declared_config())

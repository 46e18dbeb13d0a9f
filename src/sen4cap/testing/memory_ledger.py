"""The ledger of the store in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from sen4cap.domain import Site, StepRecord
from sen4cap.domain.ledger import Entry, Key


class _Sites(Protocol):
    def get(self, short_name: str) -> Site: ...


class _Jobs(Protocol):
    @property
    def kept(self) -> Mapping[int, object]: ...

    @property
    def steps(self) -> Mapping[int, StepRecord]: ...


@dataclass(frozen=True)
class MemoryLedger:
    """What became of every acquisition."""

    sites: _Sites
    jobs: _Jobs
    kept: dict[Key, Entry] = field(default_factory=dict)

    def entries(
        self, site: str, start: datetime | None = None, end: datetime | None = None
    ) -> list[Entry]:
        """Entries of a site with start <= time < end, by time, place and stage."""
        self.sites.get(site)
        found = [
            self._with_job(entry)
            for entry in self.kept.values()
            if entry.site == site
            and (start is None or start <= entry.time)
            and (end is None or entry.time < end)
        ]
        return sorted(found, key=lambda entry: (entry.time, entry.place, entry.stage))

    def _with_job(self, entry: Entry) -> Entry:
        """The entry without a job that was deleted."""
        return entry if entry.job in self.jobs.kept else replace(entry, job=None)

    def write(self, entries: Sequence[Entry]) -> None:
        """Add entries, or give those of the same key new values; all or none."""
        for entry in entries:
            self.sites.get(entry.site)
        self.kept.update({entry.key: entry for entry in entries})

    def remove(self, keys: Iterable[Key]) -> None:
        """Forget entries."""
        for key in keys:
            self.sites.get(key[0])
            self.kept.pop(key, None)

    def outcomes(self, slots: Iterable[str]) -> dict[str, StepRecord]:
        """The newest step of each slot that has one."""
        wanted = set(slots)
        steps = sorted(self.jobs.steps.items())
        return {step.slot: step for _, step in steps if step.slot in wanted}

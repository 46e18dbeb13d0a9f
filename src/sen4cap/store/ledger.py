"""The ledger in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select, tuple_

from sen4cap.domain import ProductType, StepRecord
from sen4cap.domain.ledger import CODES, Entry, Key, State
from sen4cap.store import tables
from sen4cap.store.bulk import upsert
from sen4cap.store.engine import reading, site_id, writing
from sen4cap.store.job_rows import STEP, step_of

_LEDGER = tables.ledger
_KEY = ("site_id", "stage", "place", "sensing_time")
AT_ONCE = 500
"""Rows or slots in one statement: databases bound the number of its parameters."""


@dataclass(frozen=True)
class SqlLedger:
    """What became of every acquisition."""

    engine: Engine

    def entries(
        self, site: str, start: datetime | None = None, end: datetime | None = None
    ) -> list[Entry]:
        """Entries of a site with start <= time < end, by time, place and stage."""
        with reading(self.engine) as connection:
            query = select(_LEDGER).where(_LEDGER.c.site_id == site_id(connection, site))
            if start is not None:
                query = query.where(_LEDGER.c.sensing_time >= start)
            if end is not None:
                query = query.where(_LEDGER.c.sensing_time < end)
            found = [_entry(site, row) for row in connection.execute(query).mappings()]
        return sorted(found, key=lambda entry: (entry.time, entry.place, entry.stage))

    def write(self, entries: Sequence[Entry]) -> None:
        """Add entries, or give those of the same key new values; all or none."""
        if not entries:
            return
        with writing(self.engine) as connection:
            ids = {name: site_id(connection, name) for name in {item.site for item in entries}}
            rows = [_row(ids[item.site], item) for item in entries]
            for part in _parts(rows):
                upsert(connection, _LEDGER, part, *_KEY)

    def remove(self, keys: Iterable[Key]) -> None:
        """Forget entries; those that are not there are passed over."""
        with writing(self.engine) as connection:
            columns = tuple_(_LEDGER.c.stage, _LEDGER.c.place, _LEDGER.c.sensing_time)
            for site, stage, place, time in keys:
                mine = _LEDGER.c.site_id == site_id(connection, site)
                connection.execute(
                    delete(_LEDGER).where(mine, columns == (str(stage), place, time))
                )

    def outcomes(self, slots: Iterable[str]) -> dict[str, StepRecord]:
        """The newest step of each slot that has one."""
        with reading(self.engine) as connection:
            return {
                step.slot: step
                for part in _parts(sorted(set(slots)))
                for step in _newest(connection, part)
            }


def _newest(connection: Connection, slots: Sequence[str]) -> list[StepRecord]:
    last = select(func.max(STEP.c.id)).where(STEP.c.slot.in_(slots)).group_by(STEP.c.slot)
    return [step_of(row) for row in connection.execute(select(STEP).where(STEP.c.id.in_(last)))]


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[first : first + AT_ONCE] for first in range(0, len(items), AT_ONCE))


def _row(site: int, entry: Entry) -> dict[str, Any]:
    return {
        "site_id": site,
        "season": entry.season,
        "stage": str(entry.stage),
        "place": entry.place,
        "sensing_time": entry.time,
        "status": str(entry.state),
        "status_id": CODES.get(entry.state),
        "status_reason": entry.reason,
        "status_timestamp": entry.since,
        "no_of_retries": entry.tries,
        "next_try": entry.next_try,
        "product_name": entry.product,
        "source": entry.source,
        "fallen_back": entry.fallen_back,
        "job_id": entry.job,
        "run": entry.run,
        "mend": entry.mend,
    }


def _entry(site: str, row: Mapping[Any, Any]) -> Entry:
    return Entry(
        site=site,
        stage=ProductType(row["stage"]),
        place=row["place"],
        time=row["sensing_time"],
        state=State(row["status"]),
        reason=row["status_reason"],
        tries=row["no_of_retries"],
        next_try=row["next_try"],
        since=row["status_timestamp"],
        product=row["product_name"],
        source=row["source"],
        fallen_back=row["fallen_back"],
        job=row["job_id"],
        run=row["run"],
        season=row["season"],
    )

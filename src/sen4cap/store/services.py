"""Services in SQL: who is there, and when it was last heard of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Engine, delete, insert, select, text, update

from sen4cap.domain import Service
from sen4cap.domain.service import SILENCE
from sen4cap.store import tables
from sen4cap.store.engine import reading, writing
from sen4cap.store.rules import not_alone

_SERVICE = tables.service
ALONE_LOCK = 0x53344353
"""Number of the lock under which services that want to be alone look around."""


@dataclass(frozen=True)
class SqlServices:
    """Processes of the system that run for long."""

    engine: Engine

    def register(self, service: Service, *, alone: bool = False) -> None:
        """Add a service; with `alone`, `Conflict` where one of that name is heard of."""
        with writing(self.engine) as connection:
            if alone:
                if connection.dialect.name == "postgresql":
                    lock = text("SELECT pg_advisory_xact_lock(:number)")
                    connection.execute(lock, {"number": ALONE_LOCK})
                heard = _SERVICE.c.heartbeat >= service.heartbeat - SILENCE
                query = select(_SERVICE).where(_SERVICE.c.name == service.name, heard)
                other = connection.execute(query.limit(1)).mappings().one_or_none()
                if other is not None:
                    raise not_alone(Service(**other))
            connection.execute(insert(_SERVICE), asdict(service))

    def beat(self, token: str, now: datetime) -> bool:
        """Tell that a service is alive; False where it was removed meanwhile."""
        with writing(self.engine) as connection:
            mine = update(_SERVICE).where(_SERVICE.c.token == token)
            return connection.execute(mine.values(heartbeat=now)).rowcount > 0

    def leave(self, token: str) -> None:
        """Remove a service; its leases are no longer good."""
        with writing(self.engine) as connection:
            connection.execute(delete(_SERVICE).where(_SERVICE.c.token == token))

    def all(self) -> list[Service]:
        """All services, silent ones too, by name and start."""
        query = select(_SERVICE).order_by(_SERVICE.c.name, _SERVICE.c.started, _SERVICE.c.token)
        with reading(self.engine) as connection:
            return [Service(**row) for row in connection.execute(query).mappings()]

"""Removing a site: every row that it owns, in the order that references allow."""

from __future__ import annotations

from sqlalchemy import Connection, delete, inspect, select, text

from sen4cap.domain import Status
from sen4cap.store import tables
from sen4cap.store.rules import at_work

_OPEN = (str(Status.ACCEPTED), str(Status.RUNNING), str(Status.PAUSED))
_OWNED = (
    tables.ledger,
    tables.product,
    tables.scheduled_task,
    tables.job,
    tables.config,
    tables.crop_lut,
    tables.parcel,
    tables.parcel_identity,
    tables.holding_identity,
    tables.parcel_set,
    tables.grid,
    tables.season,
)


def remove_site(connection: Connection, short_name: str, number: int) -> None:
    """Remove a site, all rows of its own and its views.

    Raises
    ------
    Conflict
        If a job of the site has not ended.
    """
    job, product = tables.job, tables.product
    open_jobs = select(job.c.id).where(job.c.site_id == number, job.c.status.in_(_OPEN))
    if (first := connection.scalar(open_jobs.order_by(job.c.id).limit(1))) is not None:
        raise at_work(first, short_name)
    _drop_views(connection, short_name)
    products = select(product.c.id).where(product.c.site_id == number)
    slots, events = tables.product_slot, tables.job_event
    connection.execute(delete(slots).where(slots.c.product_id.in_(products)))
    for table in _OWNED:
        if table is job:
            jobs = select(job.c.id).where(job.c.site_id == number)
            connection.execute(delete(events).where(events.c.job_id.in_(jobs)))
        connection.execute(delete(table).where(table.c.site_id == number))
    connection.execute(delete(tables.site).where(tables.site.c.id == number))


def _drop_views(connection: Connection, short_name: str) -> None:
    """Drop the views of the site's years; another site's name may begin like this one's."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    for name in inspect(connection).get_view_names():
        kind, _, rest = name.partition("_")
        site, _, year = rest.rpartition("_")
        if kind in {"decl", "lut"} and site == short_name and year.isdigit():
            connection.execute(text(f"DROP VIEW {quote(name)}"))

"""The tables. Names follow the field and, where they are good, the original's.

Instants are UTC. A text column that holds JSON on SQLite is of type `json` on PostgreSQL. What a
site owns carries `site_id`; operators read parcels and look-up tables through the views of
`sen4cap.store.views`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    func,
    literal_column,
    text,
)

from sen4cap.domain import as_utc


class Instant(TypeDecorator[datetime]):
    """An instant: `timestamptz` on PostgreSQL, UTC without zone on SQLite; always read aware."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant in UTC, without its zone where the database has none."""
        if value is None:
            return None
        instant = as_utc(value)
        return instant.replace(tzinfo=None) if dialect.name == "sqlite" else instant

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant in UTC."""
        del dialect
        return None if value is None else as_utc(value)


Json = JSON(none_as_null=True)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _site(**options: Any) -> Column[int]:
    return Column("site_id", ForeignKey("site.id"), nullable=False, **options)


def _now(name: str) -> Column[datetime]:
    return Column(name, Instant, nullable=False, server_default=func.now())


def _flag(name: str, default: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text(default))


site = Table(
    "site",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("short_name", String(64), nullable=False, unique=True),
    Column("timezone", Text, nullable=False),
    Column("footprint", Text, comment="WKT, EPSG:4326"),
    _flag("footprint_is_given", "false"),
    _flag("enabled", "true"),
)

season = Table(
    "season",
    metadata,
    _id(),
    _site(),
    Column("name", Text, nullable=False),
    Column("start_date", Date, nullable=False),
    Column("end_date", Date, nullable=False, comment="last day, included"),
    Column("mid_date", Date),
    _flag("enabled", "true"),
    UniqueConstraint("site_id", "name"),
)

grid = Table(
    "grid",
    metadata,
    _id(),
    _site(),
    Column("sensor", String(8), nullable=False),
    Column("name", Text, nullable=False),
    Column("crs", Text, nullable=False),
    Column("transform", Json, nullable=False, comment="a, b, c, d, e, f"),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    UniqueConstraint("site_id", "sensor", "name"),
)

processor = Table(
    "processor",
    metadata,
    _id(),
    Column("short_name", String(64), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("version", Text, nullable=False),
)

product_type = Table(
    "product_type",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", String(32), nullable=False, unique=True),
    Column("description", Text, nullable=False),
)

job = Table(
    "job",
    metadata,
    _id(),
    Column("processor", String(64), nullable=False),
    _site(),
    Column("season", Text, nullable=False),
    Column("parameters", Json, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("submit_timestamp", Instant),
    Column("start_timestamp", Instant),
    Column("end_timestamp", Instant),
    Column("name", Text, nullable=False, server_default=text("''")),
    Column("submitted_by", Text, nullable=False, server_default=text("''")),
    Column("start_type", String(16), nullable=False, server_default=text("'requested'")),
    Column("priority", Integer, nullable=False, server_default=text("100")),
    Column("nominal_date", Date),
    Column("context", Json, comment="what its steps run in; empty: none was planned"),
    Index("ix_job_site_id", "site_id"),
    Index("ix_job_status", "status", "priority", "id"),
    sqlite_autoincrement=True,
)

job_event = Table(
    "job_event",
    metadata,
    _id(),
    Column("job_id", ForeignKey("job.id"), nullable=False, index=True),
    Column("status", String(16), nullable=False),
    _now("timestamp"),
)

step = Table(
    "step",
    metadata,
    _id(),
    Column("job_id", ForeignKey("job.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("label", Text, nullable=False),
    Column("slot", Text, nullable=False),
    Column("revision", String(32), nullable=False),
    Column("inputs", Json, nullable=False, comment="names of products"),
    Column("after", Json, nullable=False, comment="positions of the steps it waits for"),
    Column("waits", Integer, nullable=False, comment="how many of these are not done"),
    Column("finish", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("exit_code", Integer),
    Column("start_timestamp", Instant),
    Column("end_timestamp", Instant),
    Column("cpu_seconds", Float),
    Column("peak_memory", BigInteger, comment="bytes"),
    Column("log", Text, nullable=False),
    Column("lease", Text, unique=True),
    Column("lease_until", Instant),
    Column("owner", Text, comment="token of the service that holds the lease"),
    UniqueConstraint("job_id", "position"),
    Index("ix_step_job_id_status", "job_id", "status", "position"),
    Index("ix_step_owner", "owner"),
    Index("ix_step_slot", "slot"),
    sqlite_autoincrement=True,
)
is_waiting = step.c.waits > literal_column("0")
"""In SQL as it stands in the index, which a parameter would keep from being used."""
Index("ix_step_waiting", step.c.job_id, sqlite_where=is_waiting, postgresql_where=is_waiting)

step_event = Table(
    "step_event",
    metadata,
    _id(),
    Column("step_id", ForeignKey("step.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False, server_default=text("''")),
    _now("timestamp"),
)

service = Table(
    "service",
    metadata,
    Column("token", String(64), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started", Instant, nullable=False),
    Column("heartbeat", Instant, nullable=False),
)

product = Table(
    "product",
    metadata,
    _id(),
    _site(),
    Column("product_type", ForeignKey("product_type.name"), nullable=False),
    Column("processor", String(64), comment="short name and version"),
    Column("name", Text, nullable=False, unique=True),
    Column("grid", Text, nullable=False),
    Column("season", Text, nullable=False, comment="empty for what seasons share"),
    Column("start_time", Instant, nullable=False),
    Column("end_time", Instant, nullable=False),
    Column("revision", String(32), nullable=False),
    Column("slot", Text, nullable=False),
    Column("footprint", Text, comment="WKT, EPSG:4326"),
    Column("assets", Json, nullable=False),
    Column("properties", Json, nullable=False),
    _now("inserted_timestamp"),
    Column("job_id", ForeignKey("job.id")),
    Index("ix_product_site_id_product_type_start_time", "site_id", "product_type", "start_time"),
)

product_provenance = Table(
    "product_provenance",
    metadata,
    Column("product_id", ForeignKey("product.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("parent_name", Text, nullable=False, index=True),
)

product_slot = Table(
    "product_slot",
    metadata,
    Column("slot", Text, primary_key=True),
    Column("product_id", ForeignKey("product.id"), nullable=False, index=True),
)

arrival = Table(
    "arrival",
    metadata,
    Column("product_id", ForeignKey("product.id", ondelete="CASCADE"), primary_key=True),
    comment="new products that nobody has looked at yet, to trigger work",
)

config_category = Table(
    "config_category",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("display_order", Integer, nullable=False),
)

config_metadata = Table(
    "config_metadata",
    metadata,
    Column("key", Text, primary_key=True),
    Column("friendly_name", Text, nullable=False),
    Column("type", String(16), nullable=False),
    Column("is_advanced", Boolean, nullable=False),
    Column("config_category_id", ForeignKey("config_category.id"), nullable=False),
    Column("is_site_visible", Boolean, nullable=False),
    Column("label", Text, nullable=False, comment="description"),
    Column("unit", Text, nullable=False),
    Column("default_value", Text, nullable=False),
    Column("values", Json, comment="bounds or allowed values"),
)

config = Table(
    "config",
    metadata,
    _id(),
    Column("key", Text, nullable=False),
    Column("site_id", ForeignKey("site.id"), comment="empty: all sites"),
    Column("value", Text, nullable=False),
    _now("last_updated"),
)
Index("uq_config_key_site_id", config.c.key, func.coalesce(config.c.site_id, -1), unique=True)

parcel_set = Table(
    "parcel_set",
    metadata,
    _id(),
    _site(),
    Column("year", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("digest", String(32), nullable=False),
    Column("count", Integer, nullable=False),
    Column("report", Json, nullable=False),
    _now("imported_timestamp"),
    _flag("is_current", "true"),
    _flag("rolled_back", "false"),
    UniqueConstraint("site_id", "year", "version"),
)

parcel_identity = Table(
    "parcel_identity",
    metadata,
    _site(primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("new_id", BigInteger, primary_key=True, autoincrement=False),
    Column("ori_id", Text, nullable=False),
    UniqueConstraint("site_id", "year", "ori_id"),
)

holding_identity = Table(
    "holding_identity",
    metadata,
    _site(primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("hold_id", BigInteger, primary_key=True, autoincrement=False),
    Column("ori_hold", Text, nullable=False),
    UniqueConstraint("site_id", "year", "ori_hold"),
)

parcel = Table(
    "parcel",
    metadata,
    _site(primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("new_id", BigInteger, primary_key=True, autoincrement=False),
    Column("version_from", Integer, primary_key=True, autoincrement=False),
    Column("version_to", Integer, comment="first version without this row; empty: current"),
    Column("ori_id", Text, nullable=False),
    Column("ori_hold", Text),
    Column("hold_id", BigInteger),
    Column("ori_crop", Text),
    Column("geom_valid", Boolean),
    Column("geom_fix", Text),
    Column("duplic", Boolean),
    Column("overlap", Boolean),
    Column("overlap_ratio", Float),
    Column("area_meters", Float),
    Column("shape_ind", Float),
    Column("n_parts", BigInteger),
    Column("geom_hash", Text),
    Column("geom_change_ratio", Float),
    Column("is_deleted", Boolean),
    Column("reason", Text),
    Column("s1_pix", BigInteger),
    Column("s2_pix", BigInteger),
    Column("home_s1", Text),
    Column("home_s2", Text),
    Column("attributes", Json, comment="further declared columns"),
    Column("wkb_geometry", LargeBinary),
    Column("srid", Integer, nullable=False, comment="EPSG code; 0: none"),
    Column("content_hash", BigInteger, nullable=False, comment="equal: nothing declared changed"),
    CheckConstraint("version_to > version_from", name="interval"),
)

crop_lut = Table(
    "crop_lut",
    metadata,
    _site(primary_key=True),
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("ori_crop", Text, primary_key=True),
    Column("ctnum", Integer),
    Column("ct", Text),
    Column("lc", Integer),
    Column("ctnuml4a", Integer),
    Column("ctl4a", Text),
    Column("ctnumdiv", Integer),
    Column("ctdiv", Text),
    Column("eaa", SmallInteger),
    Column("al", SmallInteger),
    Column("pgrass", SmallInteger),
    Column("tgrass", SmallInteger),
    Column("fallow", SmallInteger),
    Column("cwater", SmallInteger),
)

scheduled_task = Table(
    "scheduled_task",
    metadata,
    _id(),
    Column("name", String(128), nullable=False, unique=True),
    Column("processor", String(64), nullable=False),
    _site(),
    Column("season_id", ForeignKey("season.id", ondelete="CASCADE"), nullable=False),
    Column("repeat_type", String(16), nullable=False, comment="once, cycle, repeat"),
    Column("repeat_after_days", Integer, comment="of a cycle"),
    Column("repeat_on_month_day", Integer, comment="of a repeat; 31: last day of the month"),
    Column("first_run_date", Date, nullable=False),
    Column("processor_params", Json, nullable=False),
    Column("retry_seconds", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("generation", Integer, nullable=False, comment="how often it was started anew"),
    Index("ix_scheduled_task_site_id", "site_id"),
    sqlite_autoincrement=True,
)

scheduled_task_status = Table(
    "scheduled_task_status",
    metadata,
    Column("task_id", ForeignKey("scheduled_task.id", ondelete="CASCADE"), primary_key=True),
    Column("next_schedule", Date, comment="nominal date; empty: never again"),
    Column("last_scheduled_run", Date, comment="nominal date that was dealt with last"),
    Column("last_run_timestamp", Instant),
    Column("last_retry_timestamp", Instant),
    Column("reason", Text, nullable=False, comment="what it waits for, or why it skipped"),
    Column("last_job_id", ForeignKey("job.id", ondelete="SET NULL")),
    Column("version", Integer, nullable=False),
)

Index(
    "uq_job_scheduled",
    job.c.submitted_by,
    job.c.nominal_date,
    unique=True,
    sqlite_where=text("start_type = 'scheduled'"),
    postgresql_where=text("start_type = 'scheduled'"),
)

ledger = Table(
    "ledger",
    metadata,
    _id(),
    _site(),
    Column("season", Text, nullable=False),
    Column(
        "stage",
        ForeignKey("product_type.name"),
        nullable=False,
        comment="type of what it brings forth; scene: a sensor's source was asked",
    ),
    Column("place", Text, nullable=False, comment="tile, path/row, burst; of a scene, the sensor"),
    Column("sensing_time", Instant, nullable=False),
    Column("status", String(32), nullable=False),
    Column("status_id", Integer, comment="as in the original; it has none for some"),
    Column("status_reason", Text, nullable=False),
    Column("status_timestamp", Instant),
    Column("no_of_retries", Integer, nullable=False, comment="at the present source"),
    Column("next_try", Instant),
    Column("product_name", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("fallen_back", Boolean, nullable=False),
    Column("job_id", ForeignKey("job.id", ondelete="SET NULL")),
    Column("run", Text, nullable=False, comment="job and attempt that were counted last"),
    Column("mend", Text, nullable=False, comment="the command that would mend a hole"),
    UniqueConstraint("site_id", "stage", "place", "sensing_time"),
    Index("ix_ledger_site_id_sensing_time", "site_id", "sensing_time"),
)

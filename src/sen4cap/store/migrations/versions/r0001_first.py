"""The first schema."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PRODUCT_TYPES = (
    (1, "l2a", "Surface reflectance of one acquisition"),
    (3, "l3b", "Vegetation indices and biophysical variables of one acquisition"),
    (12, "s4c_l4a", "Crop type per parcel over a season"),
    (14, "lpis", "A version of a site's parcels"),
    (17, "s4c_mdb1", "Parcel statistics of one acquisition"),
)
"""Numbers and names are the original's."""


def upgrade() -> None:
    """Create all tables."""
    _places()
    _catalog()
    _products()
    _configuration()
    _parcel_sets()
    _parcels()
    _crop_lut()


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer, primary_key=True)


def _site(**options: Any) -> sa.Column[int]:
    return sa.Column("site_id", sa.Integer, sa.ForeignKey("site.id"), nullable=False, **options)


def _now(name: str) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now())


def _flag(name: str, default: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text(default))


def _places() -> None:
    op.create_table(
        "site",
        _id(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("short_name", sa.String(64), nullable=False, unique=True),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("footprint", sa.Text, comment="WKT, EPSG:4326"),
        _flag("footprint_is_given", "false"),
        _flag("enabled", "true"),
    )
    op.create_table(
        "season",
        _id(),
        _site(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("start_date", sa.Date, nullable=False),
        sa.Column("end_date", sa.Date, nullable=False, comment="last day, included"),
        sa.Column("mid_date", sa.Date),
        _flag("enabled", "true"),
        sa.UniqueConstraint("site_id", "name"),
    )
    op.create_table(
        "grid",
        _id(),
        _site(),
        sa.Column("sensor", sa.String(8), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("crs", sa.Text, nullable=False),
        sa.Column("transform", sa.JSON, nullable=False, comment="a, b, c, d, e, f"),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.UniqueConstraint("site_id", "sensor", "name"),
    )


def _catalog() -> None:
    op.create_table(
        "processor",
        _id(),
        sa.Column("short_name", sa.String(64), nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
    )
    kinds = op.create_table(
        "product_type",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(32), nullable=False, unique=True),
        sa.Column("description", sa.Text, nullable=False),
    )
    op.bulk_insert(
        kinds,
        [{"id": i, "name": name, "description": text} for i, name, text in PRODUCT_TYPES],
    )
    op.create_table(
        "job",
        _id(),
        sa.Column("processor", sa.String(64), nullable=False),
        _site(),
        sa.Column("season", sa.Text, nullable=False),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("submit_timestamp", sa.DateTime(timezone=True)),
        sa.Column("start_timestamp", sa.DateTime(timezone=True)),
        sa.Column("end_timestamp", sa.DateTime(timezone=True)),
        sa.Index("ix_job_site_id", "site_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "job_event",
        _id(),
        sa.Column("job_id", sa.Integer, sa.ForeignKey("job.id"), nullable=False, index=True),
        sa.Column("status", sa.String(16), nullable=False),
        _now("timestamp"),
    )


def _products() -> None:
    op.create_table(
        "product",
        _id(),
        _site(),
        sa.Column(
            "product_type", sa.String(32), sa.ForeignKey("product_type.name"), nullable=False
        ),
        sa.Column("processor", sa.String(64), comment="short name and version"),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("grid", sa.Text, nullable=False),
        sa.Column("season", sa.Text, nullable=False, comment="empty for what seasons share"),
        sa.Column("start_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("end_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.String(32), nullable=False),
        sa.Column("slot", sa.Text, nullable=False),
        sa.Column("footprint", sa.Text, comment="WKT, EPSG:4326"),
        sa.Column("assets", sa.JSON, nullable=False),
        sa.Column("properties", sa.JSON, nullable=False),
        _now("inserted_timestamp"),
        sa.Column("job_id", sa.Integer, sa.ForeignKey("job.id")),
        sa.Index(
            "ix_product_site_id_product_type_start_time", "site_id", "product_type", "start_time"
        ),
    )
    op.create_table(
        "product_provenance",
        sa.Column(
            "product_id",
            sa.Integer,
            sa.ForeignKey("product.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("parent_name", sa.Text, nullable=False, index=True),
    )
    op.create_table(
        "product_slot",
        sa.Column("slot", sa.Text, primary_key=True),
        sa.Column(
            "product_id", sa.Integer, sa.ForeignKey("product.id"), nullable=False, index=True
        ),
    )


def _configuration() -> None:
    op.create_table(
        "config_category",
        _id(),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("display_order", sa.Integer, nullable=False),
    )
    op.create_table(
        "config_metadata",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("friendly_name", sa.Text, nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("is_advanced", sa.Boolean, nullable=False),
        sa.Column(
            "config_category_id", sa.Integer, sa.ForeignKey("config_category.id"), nullable=False
        ),
        sa.Column("is_site_visible", sa.Boolean, nullable=False),
        sa.Column("label", sa.Text, nullable=False, comment="description"),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("default_value", sa.Text, nullable=False),
        sa.Column("values", sa.JSON, comment="bounds or allowed values"),
    )
    op.create_table(
        "config",
        _id(),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("site_id", sa.Integer, sa.ForeignKey("site.id"), comment="empty: all sites"),
        sa.Column("value", sa.Text, nullable=False),
        _now("last_updated"),
    )
    one_per_owner: list[Any] = ["key", sa.text("coalesce(site_id, -1)")]
    op.create_index("uq_config_key_site_id", "config", one_per_owner, unique=True)


def _parcel_sets() -> None:
    op.create_table(
        "parcel_set",
        _id(),
        _site(),
        sa.Column("year", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("report", sa.JSON, nullable=False),
        _now("imported_timestamp"),
        _flag("is_current", "true"),
        _flag("rolled_back", "false"),
        sa.UniqueConstraint("site_id", "year", "version"),
    )
    op.create_table(
        "parcel_identity",
        _site(primary_key=True),
        sa.Column("year", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("new_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("ori_id", sa.Text, nullable=False),
        sa.UniqueConstraint("site_id", "year", "ori_id"),
    )
    op.create_table(
        "holding_identity",
        _site(primary_key=True),
        sa.Column("year", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hold_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("ori_hold", sa.Text, nullable=False),
        sa.UniqueConstraint("site_id", "year", "ori_hold"),
    )


def _parcels() -> None:
    op.create_table(
        "parcel",
        _site(primary_key=True),
        sa.Column("year", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("new_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("version_from", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column(
            "version_to", sa.Integer, comment="first version without this row; empty: current"
        ),
        sa.Column("ori_id", sa.Text, nullable=False),
        sa.Column("ori_hold", sa.Text),
        sa.Column("hold_id", sa.BigInteger),
        sa.Column("ori_crop", sa.Text),
        sa.Column("geom_valid", sa.Boolean),
        sa.Column("geom_fix", sa.Text),
        sa.Column("duplic", sa.Boolean),
        sa.Column("overlap", sa.Boolean),
        sa.Column("overlap_ratio", sa.Float),
        sa.Column("area_meters", sa.Float),
        sa.Column("shape_ind", sa.Float),
        sa.Column("n_parts", sa.BigInteger),
        sa.Column("geom_hash", sa.Text),
        sa.Column("geom_change_ratio", sa.Float),
        sa.Column("is_deleted", sa.Boolean),
        sa.Column("reason", sa.Text),
        sa.Column("s1_pix", sa.BigInteger),
        sa.Column("s2_pix", sa.BigInteger),
        sa.Column("home_s1", sa.Text),
        sa.Column("home_s2", sa.Text),
        sa.Column("attributes", sa.JSON, comment="further declared columns"),
        sa.Column("wkb_geometry", sa.LargeBinary),
        sa.Column("srid", sa.Integer, nullable=False, comment="EPSG code; 0: none"),
        sa.Column(
            "content_hash", sa.BigInteger, nullable=False, comment="equal: nothing declared changed"
        ),
        sa.CheckConstraint("version_to > version_from", name="interval"),
    )


def _crop_lut() -> None:
    op.create_table(
        "crop_lut",
        _site(primary_key=True),
        sa.Column("year", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("ori_crop", sa.Text, primary_key=True),
        sa.Column("ctnum", sa.Integer),
        sa.Column("ct", sa.Text),
        sa.Column("lc", sa.Integer),
        sa.Column("ctnuml4a", sa.Integer),
        sa.Column("ctl4a", sa.Text),
        sa.Column("ctnumdiv", sa.Integer),
        sa.Column("ctdiv", sa.Text),
        sa.Column("eaa", sa.SmallInteger),
        sa.Column("al", sa.SmallInteger),
        sa.Column("pgrass", sa.SmallInteger),
        sa.Column("tgrass", sa.SmallInteger),
        sa.Column("fallow", sa.SmallInteger),
        sa.Column("cwater", sa.SmallInteger),
    )

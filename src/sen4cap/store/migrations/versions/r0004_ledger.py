"""The ledger of acquisitions, and the types of product that come with it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PRODUCT_TYPES = (
    (7, "l1c", "Top-of-atmosphere reflectance of one acquisition"),
    (10, "s1_l2a_amp", "Radar backscatter of one acquisition"),
    (11, "s1_l2a_cohe", "Radar coherence of a pair of acquisitions"),
    (100, "scene", "What a source holds of one acquisition, not fetched"),
    (101, "slc", "Single-look complex radar image"),
)
"""Numbers below 100 and their names are the original's."""


def upgrade() -> None:
    """Add what acquisition keeps."""
    kinds = sa.table(
        "product_type",
        sa.column("id", sa.Integer),
        sa.column("name", sa.String),
        sa.column("description", sa.Text),
    )
    op.bulk_insert(
        kinds, [{"id": i, "name": name, "description": text} for i, name, text in PRODUCT_TYPES]
    )
    op.create_table(
        "ledger",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("site_id", sa.Integer, sa.ForeignKey("site.id"), nullable=False),
        sa.Column("season", sa.Text, nullable=False),
        sa.Column(
            "stage",
            sa.String(32),
            sa.ForeignKey("product_type.name"),
            nullable=False,
            comment="type of what it brings forth; scene: a sensor's source was asked",
        ),
        sa.Column(
            "place",
            sa.Text,
            nullable=False,
            comment="tile, path/row, burst; of a scene, the sensor",
        ),
        sa.Column("sensing_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("status_id", sa.Integer, comment="as in the original; it has none for some"),
        sa.Column("status_reason", sa.Text, nullable=False),
        sa.Column("status_timestamp", sa.DateTime(timezone=True)),
        sa.Column("no_of_retries", sa.Integer, nullable=False, comment="at the present source"),
        sa.Column("next_try", sa.DateTime(timezone=True)),
        sa.Column("product_name", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("fallen_back", sa.Boolean, nullable=False),
        sa.Column("job_id", sa.Integer, sa.ForeignKey("job.id", ondelete="SET NULL")),
        sa.Column("run", sa.Text, nullable=False, comment="job and attempt that were counted last"),
        sa.Column("mend", sa.Text, nullable=False, comment="the command that would mend a hole"),
        sa.UniqueConstraint("site_id", "stage", "place", "sensing_time"),
    )
    op.create_index("ix_ledger_site_id_sensing_time", "ledger", ["site_id", "sensing_time"])
    op.create_index("ix_step_slot", "step", ["slot"])

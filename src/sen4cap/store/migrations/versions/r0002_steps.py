"""Steps, services, and products that trigger work."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the engine keeps."""
    _jobs()
    _steps()
    _step_events()
    _services()
    _arrivals()


def _jobs() -> None:
    for column in (
        sa.Column("name", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("submitted_by", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column(
            "start_type", sa.String(16), nullable=False, server_default=sa.text("'requested'")
        ),
        sa.Column("priority", sa.Integer, nullable=False, server_default=sa.text("100")),
        sa.Column("nominal_date", sa.Date),
        sa.Column("context", sa.JSON, comment="what its steps run in; empty: none was planned"),
    ):
        op.add_column("job", column)
    op.create_index("ix_job_status", "job", ["status", "priority", "id"])


def _steps() -> None:
    op.create_table(
        "step",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "job_id", sa.Integer, sa.ForeignKey("job.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("slot", sa.Text, nullable=False),
        sa.Column("revision", sa.String(32), nullable=False),
        sa.Column("inputs", sa.JSON, nullable=False, comment="names of products"),
        sa.Column("after", sa.JSON, nullable=False, comment="positions of the steps it waits for"),
        sa.Column("waits", sa.Integer, nullable=False, comment="how many of these are not done"),
        sa.Column("finish", sa.Boolean, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("losses", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("exit_code", sa.Integer),
        sa.Column("start_timestamp", sa.DateTime(timezone=True)),
        sa.Column("end_timestamp", sa.DateTime(timezone=True)),
        sa.Column("cpu_seconds", sa.Float),
        sa.Column("peak_memory", sa.BigInteger, comment="bytes"),
        sa.Column("log", sa.Text, nullable=False),
        sa.Column("lease", sa.Text, unique=True),
        sa.Column("lease_until", sa.DateTime(timezone=True)),
        sa.Column("owner", sa.Text, comment="token of the service that holds the lease"),
        sa.UniqueConstraint("job_id", "position"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_step_job_id_status", "step", ["job_id", "status", "position"])
    op.create_index("ix_step_owner", "step", ["owner"])
    waiting = sa.text("waits > 0")
    op.create_index(
        "ix_step_waiting", "step", ["job_id"], sqlite_where=waiting, postgresql_where=waiting
    )


def _step_events() -> None:
    step = sa.ForeignKey("step.id", ondelete="CASCADE")
    op.create_table(
        "step_event",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("step_id", sa.Integer, step, nullable=False, index=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column(
            "timestamp",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.now(),
        ),
    )


def _services() -> None:
    op.create_table(
        "service",
        sa.Column("token", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat", sa.DateTime(timezone=True), nullable=False),
    )


def _arrivals() -> None:
    product = sa.ForeignKey("product.id", ondelete="CASCADE")
    op.create_table(
        "arrival",
        sa.Column("product_id", sa.Integer, product, primary_key=True),
        comment="new products that nobody has looked at yet, to trigger work",
    )

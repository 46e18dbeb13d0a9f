"""Schedules, and one job per schedule and date."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the scheduler keeps."""
    _tasks()
    _statuses()
    scheduled = sa.text("start_type = 'scheduled'")
    op.create_index(
        "uq_job_scheduled",
        "job",
        ["submitted_by", "nominal_date"],
        unique=True,
        sqlite_where=scheduled,
        postgresql_where=scheduled,
    )


def _tasks() -> None:
    season = sa.ForeignKey("season.id", ondelete="CASCADE")
    op.create_table(
        "scheduled_task",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(128), nullable=False, unique=True),
        sa.Column("processor", sa.String(64), nullable=False),
        sa.Column("site_id", sa.Integer, sa.ForeignKey("site.id"), nullable=False),
        sa.Column("season_id", sa.Integer, season, nullable=False),
        sa.Column("repeat_type", sa.String(16), nullable=False, comment="once, cycle, repeat"),
        sa.Column("repeat_after_days", sa.Integer, comment="of a cycle"),
        sa.Column(
            "repeat_on_month_day", sa.Integer, comment="of a repeat; 31: last day of the month"
        ),
        sa.Column("first_run_date", sa.Date, nullable=False),
        sa.Column("processor_params", sa.JSON, nullable=False),
        sa.Column("retry_seconds", sa.Integer, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column(
            "generation", sa.Integer, nullable=False, comment="how often it was started anew"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_scheduled_task_site_id", "scheduled_task", ["site_id"])


def _statuses() -> None:
    task = sa.ForeignKey("scheduled_task.id", ondelete="CASCADE")
    job = sa.ForeignKey("job.id", ondelete="SET NULL")
    op.create_table(
        "scheduled_task_status",
        sa.Column("task_id", sa.Integer, task, primary_key=True),
        sa.Column("next_schedule", sa.Date, comment="nominal date; empty: never again"),
        sa.Column("last_scheduled_run", sa.Date, comment="nominal date that was dealt with last"),
        sa.Column("last_run_timestamp", sa.DateTime(timezone=True)),
        sa.Column("last_retry_timestamp", sa.DateTime(timezone=True)),
        sa.Column(
            "reason", sa.Text, nullable=False, comment="what it waits for, or why it skipped"
        ),
        sa.Column("last_job_id", sa.Integer, job),
        sa.Column("version", sa.Integer, nullable=False),
    )

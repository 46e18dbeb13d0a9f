"""The type of composites."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COMPOSITE = {
    "id": 102,
    "name": "l3_composite",
    "description": "Vegetation indices and biophysical variables of a period",
}
"""The original has no number for it."""


def upgrade() -> None:
    """Add the type."""
    kinds = sa.table(
        "product_type",
        sa.column("id", sa.Integer),
        sa.column("name", sa.String),
        sa.column("description", sa.Text),
    )
    op.bulk_insert(kinds, [COMPOSITE])

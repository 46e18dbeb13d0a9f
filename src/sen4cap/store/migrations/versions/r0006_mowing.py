"""The type of mowing products."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOWING = {"id": 13, "name": "s4c_l4b", "description": "Mowing of grassland parcels over a season"}
"""Number and name are the original's."""


def upgrade() -> None:
    """Add the type."""
    kinds = sa.table(
        "product_type",
        sa.column("id", sa.Integer),
        sa.column("name", sa.String),
        sa.column("description", sa.Text),
    )
    op.bulk_insert(kinds, [MOWING])

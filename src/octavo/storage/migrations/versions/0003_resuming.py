"""A proposal may go on from an earlier trial's checkpoint, and may have a cutoff of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add both columns; neither was set before."""
    op.add_column("proposals", sa.Column("resume_from", sa.Integer))
    op.add_column("proposals", sa.Column("cutoff_s", sa.Double))

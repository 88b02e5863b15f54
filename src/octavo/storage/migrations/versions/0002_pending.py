"""Proposals without a trial get a table of their own, so that nobody has to search for them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table and put in it what waits."""
    op.create_table(
        "pending",
        sa.Column(
            "proposal_index",
            sa.Integer,
            sa.ForeignKey("proposals.proposal_index"),
            primary_key=True,
            autoincrement=False,
        ),
    )
    op.execute(
        "INSERT INTO pending (proposal_index) SELECT proposal_index FROM proposals "
        "WHERE proposal_index NOT IN (SELECT proposal_index FROM trials)"
    )

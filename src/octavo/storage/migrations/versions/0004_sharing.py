"""Several processes may run one study: tokens tell who runs what, commands come by a table."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Nothing of older studies was shared: all tokens begin at 0."""
    for name in ("pending", "leases"):
        op.add_column(name, sa.Column("token", sa.Integer, nullable=False, server_default="0"))
    op.create_table(
        "commands",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("taken", sa.Text),
    )
    op.create_table(
        "writes",
        sa.Column("writer", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )

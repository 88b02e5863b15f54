"""The first tables.

Written out, not taken from `schema.py`: a migration says what was true in its time.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables."""
    proposal = "proposals.proposal_index"
    op.create_table(
        "settings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("data", sa.Text, nullable=False),
    )
    op.create_table(
        "revisions",
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("since", sa.Integer, nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
    )
    op.create_table(
        "interventions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("from_index", sa.Integer, nullable=False),
    )
    op.create_table(
        "proposals",
        sa.Column("proposal_index", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.Integer, sa.ForeignKey("revisions.revision"), nullable=False),
        sa.Column("config", sa.Text, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("fidelity", sa.Double),
        sa.Column("instance", sa.Text),
        sa.Column("origin_by", sa.Text, nullable=False),
        sa.Column("origin_intent", sa.Text, nullable=False),
        sa.Column("origin_parents", sa.Text, nullable=False),
        sa.Column("origin_data", sa.Text, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column(
            "proposal_index",
            sa.Integer,
            sa.ForeignKey(proposal),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("taken", sa.Double, nullable=False),
        sa.Column("expires", sa.Double, nullable=False),
    )
    op.create_table(
        "trials",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "proposal_index", sa.Integer, sa.ForeignKey(proposal), nullable=False, unique=True
        ),
        sa.Column("revision", sa.Integer, sa.ForeignKey("revisions.revision"), nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("costs", sa.Text, nullable=False),
        sa.Column("constraints", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("wall_s", sa.Double),
        sa.Column("cpu_s", sa.Double),
        sa.Column("memory_mb", sa.Double),
        sa.Column("energy_kwh", sa.Double),
        sa.Column("measured_how", sa.Text, nullable=False),
        sa.Column("n_reports", sa.Integer, nullable=False),
        sa.Column("checkpoint_path", sa.Text),
        sa.Column("checkpoint_bytes", sa.BigInteger),
        sa.Column("output", sa.Text),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("started", sa.Double),
        sa.Column("ended", sa.Double),
        sa.Column("extra", sa.Text, nullable=False),
    )
    op.create_table(
        "reports",
        sa.Column(
            "proposal_index",
            sa.Integer,
            sa.ForeignKey(proposal),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("step", sa.Double, nullable=False),
        sa.Column("at_s", sa.Double, nullable=False),
        sa.Column("reported", sa.Text, nullable=False),
    )

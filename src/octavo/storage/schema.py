"""The tables of a study's history, and the versions that they went through.

Rows are only ever added. What may change lives in tables of its own and is no part of the
history: `leases` (who runs what right now), `pending` (which proposals have no trial yet, so that
nobody has to search for them), and of a study that several processes run `commands` (its inbox)
and `writes` (how far each of them has come).

Several numbers that belong together (costs, constraint values) are one JSON array in one
column: any number of objectives fits, one trial stays one row, and a reader takes a hundred
thousand of them with a single query and a single parse. NaN is `null` and infinity `1e999`
in these arrays, which every JSON parser reads.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

__all__ = [
    "VERSIONS",
    "commands",
    "interventions",
    "leases",
    "metadata",
    "pending",
    "proposals",
    "reports",
    "revisions",
    "settings",
    "trials",
    "version",
    "writes",
]

VERSIONS = ("0001", "0002", "0003", "0004")
"""All versions of the schema, oldest first; one file each in `migrations/versions/`."""

metadata = MetaData()

# Alembic's own table, declared here so that a new study needs no import of alembic.
version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), primary_key=True),
)

settings = Table(
    "settings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("data", Text, nullable=False),  # JSON object; the newest row holds
)

revisions = Table(
    "revisions",
    metadata,
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("since", Integer, nullable=False),  # first proposal index that it is valid for
    Column("problem", Text, nullable=False),  # Problem.to_json: space, objectives with direction
)

interventions = Table(
    "interventions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("data", Text, nullable=False),  # JSON object
    Column("who", Text, nullable=False),
    Column("at", Double, nullable=False),  # seconds since the epoch
    Column("from_index", Integer, nullable=False),
)

proposals = Table(
    "proposals",
    metadata,
    Column("proposal_index", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, ForeignKey("revisions.revision"), nullable=False),
    Column("config", Text, nullable=False),  # JSON object
    Column("seed", BigInteger, nullable=False),
    Column("fidelity", Double),
    Column("instance", Text),
    Column("origin_by", Text, nullable=False),
    Column("origin_intent", Text, nullable=False),
    Column("origin_parents", Text, nullable=False),  # JSON array of proposal indices
    Column("origin_data", Text, nullable=False),  # JSON object
    Column("resume_from", Integer),  # index of an earlier trial
    Column("cutoff_s", Double),
)

_proposal = "proposals.proposal_index"

pending = Table(
    "pending",
    metadata,
    Column("proposal_index", Integer, ForeignKey(_proposal), primary_key=True, autoincrement=False),
    # How often it was leased. What whoever runs it holds as a token: a smaller one is out of date.
    Column("token", Integer, nullable=False, server_default="0"),
)

leases = Table(
    "leases",
    metadata,
    Column("proposal_index", Integer, ForeignKey(_proposal), primary_key=True, autoincrement=False),
    Column("worker", Text, nullable=False),
    Column("taken", Double, nullable=False),  # seconds since the epoch
    Column("expires", Double, nullable=False),
    Column("token", Integer, nullable=False, server_default="0"),
)

commands = Table(
    "commands",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("data", Text, nullable=False),  # JSON object
    Column("who", Text, nullable=False),
    Column("at", Double, nullable=False),  # seconds since the epoch
    Column("taken", Text),  # by whom
)

writes = Table(
    "writes",
    metadata,
    Column("writer", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),  # of its last transaction
)

trials = Table(
    "trials",
    metadata,
    Column("id", Integer, primary_key=True),  # ascending in order of completion
    Column("proposal_index", Integer, ForeignKey(_proposal), nullable=False, unique=True),
    # Whose order of objectives and constraints the numbers follow; that of the proposal, unless
    # the problem was revised while it waited.
    Column("revision", Integer, ForeignKey("revisions.revision"), nullable=False),
    Column("status", Text, nullable=False),
    Column("costs", Text, nullable=False),  # JSON array, one per objective, minimized
    Column("constraints", Text, nullable=False),  # JSON array, one per constraint
    Column("cause", Text, nullable=False),
    Column("wall_s", Double),
    Column("cpu_s", Double),
    Column("memory_mb", Double),
    Column("energy_kwh", Double),
    Column("measured_how", Text, nullable=False),  # JSON object
    Column("n_reports", Integer, nullable=False),
    Column("checkpoint_path", Text),
    Column("checkpoint_bytes", BigInteger),
    Column("output", Text),
    Column("worker", Text, nullable=False),
    Column("started", Double),
    Column("ended", Double),
    Column("extra", Text, nullable=False),  # JSON object
    Column("co2_kg", Double),
)

reports = Table(
    "reports",
    metadata,
    Column("proposal_index", Integer, ForeignKey(_proposal), primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),  # 0, 1, ... within a trial
    Column("step", Double, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("reported", Text, nullable=False),  # JSON object: numbers by name
)

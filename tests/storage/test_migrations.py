"""A study of an older schema is brought up to date; one of a newer schema is refused."""

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from octavo.errors import StorageError
from octavo.storage import create_store, migrate, open_store, schema


def layout(path: Path) -> dict[str, object]:
    """Tables, columns, keys and constraints as the database itself describes them."""
    engine = sa.create_engine(f"sqlite:///{path}")
    look = sa.inspect(engine)
    found = {
        name: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in look.get_columns(name)],
            look.get_pk_constraint(name)["constrained_columns"],
            sorted(
                (k["constrained_columns"], k["referred_table"]) for k in look.get_foreign_keys(name)
            ),
            sorted(u["column_names"] for u in look.get_unique_constraints(name)),
            sorted(i["name"] for i in look.get_indexes(name)),
        )
        for name in look.get_table_names()
    }
    engine.dispose()
    return found


def migrated(path: Path, to: str) -> None:
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        migrate.upgrade(connection, to)
    engine.dispose()


def test_the_versions_are_those_of_the_migrations():
    scripts = ScriptDirectory.from_config(migrate.settings())
    in_order = [script.revision for script in scripts.walk_revisions()][::-1]
    assert tuple(in_order) == schema.VERSIONS


def test_migrating_from_nothing_gives_what_creating_gives(tmp_path):
    create_store(tmp_path / "created").close()
    migrated(tmp_path / "migrated.sqlite", schema.VERSIONS[-1])
    assert layout(tmp_path / "migrated.sqlite") == layout(tmp_path / "created" / "history.sqlite")
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'migrated.sqlite'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_a_newer_study_is_refused_and_left_as_it_is(tmp_path):
    create_store(tmp_path).close()
    plain = sqlite3.connect(tmp_path / "history.sqlite")
    plain.execute("UPDATE alembic_version SET version_num = '9999'")
    plain.commit()
    plain.close()
    before = (tmp_path / "history.sqlite").read_bytes()
    for write in (True, False):
        with pytest.raises(StorageError, match=f"{tmp_path}.*'9999'.*pip install --upgrade octavo"):
            open_store(tmp_path, write=write)
    with pytest.raises(StorageError, match="'9999'"):
        create_store(tmp_path)
    assert (tmp_path / "history.sqlite").read_bytes() == before


@pytest.fixture(params=schema.VERSIONS[:-1])
def old(request, tmp_path, problem, proposal, trial):
    """A study as an older version of the tables had it."""
    folder = tmp_path / "old"
    folder.mkdir()
    migrated(folder / "history.sqlite", request.param)
    with create_store(tmp_path / "new") as store:
        store.add_problem(problem, since=0)
        store.add_proposals([proposal(i) for i in range(5)], revision=0)
        store.add_trials([trial(i) for i in (3, 1)])
    source = sqlite3.connect(tmp_path / "new" / "history.sqlite")
    target = sqlite3.connect(folder / "history.sqlite")
    for (name,) in target.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = ", ".join(row[1] for row in target.execute(f"PRAGMA table_info({name})"))
        if name == "alembic_version":
            continue
        rows = source.execute(f"SELECT {columns} FROM {name}").fetchall()
        marks = ", ".join("?" * (columns.count(",") + 1))
        target.executemany(f"INSERT INTO {name} ({columns}) VALUES ({marks})", rows)
    target.commit()
    source.close()
    target.close()
    shutil.rmtree(tmp_path / "new")
    return folder


def version_of(folder: Path) -> str:
    plain = sqlite3.connect(folder / "history.sqlite")
    found = plain.execute("SELECT version_num FROM alembic_version").fetchone()[0]
    plain.close()
    return found


def test_a_writer_upgrades_an_older_study(old, trial):
    assert version_of(old) in schema.VERSIONS[:-1]
    with open_store(old) as store:
        assert list(store.history()) == [trial(3), trial(1)]
        assert [proposal.index for proposal in store.pending()] == [0, 2, 4]
        store.add_trials([trial(2)])
        assert store.history().indices.tolist() == [3, 1, 2]
        store.add_proposals([replace(trial(5).proposal, resume_from=3, cutoff_s=0.5)], revision=0)
    assert version_of(old) == schema.VERSIONS[-1]
    waiting = open_store(old, write=False).pending()
    assert [(p.index, p.resume_from, p.cutoff_s) for p in waiting] == [
        (0, None, None),
        (4, None, None),
        (5, 3, 0.5),
    ]


def test_a_reader_upgrades_a_copy_in_memory(old, trial):
    before, version = (old / "history.sqlite").read_bytes(), version_of(old)
    with open_store(old, write=False) as store:
        assert [proposal.index for proposal in store.pending()] == [0, 2, 4]
        history = store.history()
    assert list(history) == [trial(3), trial(1)]
    assert (old / "history.sqlite").read_bytes() == before
    assert version_of(old) == version

"""A study on PostgreSQL: what is stored comes back, once, whatever the connection does."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from octavo.errors import LeaseLostError, SettingError, StorageError, StudyError
from octavo.storage import (
    Address,
    Command,
    Intervention,
    Seen,
    create_store,
    migrate,
    open_store,
    schema,
    send,
)
from octavo.trial import Checkpoint, Origin, Proposal, Report, Resources, Status, Trial

pytestmark = pytest.mark.postgres


@pytest.fixture
def store(shared_url, problem):
    with create_store(shared_url) as store:
        store.add_problem(problem, since=0)
        yield store


def lease(store, proposals, worker="me"):
    assert store.sharing.propose(proposals, revision=0, worker=worker)


# What is stored comes back ------------------------------------------------------------


def test_everything_about_a_study_comes_back(store, shared_url, problem):
    store.save_settings({"seed": 3, "odd": float("nan"), "name": "ä\0b"})
    proposal = Proposal(
        0,
        {"rate": 1e-300, "layers": 2, "kind": True},
        seed=2**31 - 1,
        fidelity=27.0,
        instance="a/b.cnf",
        origin=Origin("tpe", "search", (), {"bracket": [1, None]}),
        cutoff_s=2.5,
    )
    trial = Trial(
        proposal,
        Status.STOPPED,
        (float("inf"), float("nan")),
        (0.05,),
        cause="a zero byte \0 and a half of a character \ud800",
        resources=Resources(1.0, 2.0, 3.0, 4.0, how={"wall_s": "clock"}),
        reports=(Report(1, {"loss": float("-inf")}, 0.5), Report(2, {"loss": 1.0}, 0.7)),
        checkpoint=Checkpoint("trials/0/checkpoint", 2**40),
        output="trials/0/output.txt",
        worker="w",
        started=1.5,
        ended=2.5,
        extra={"deep": {"x": [1, "\0"]}},
    )
    lease(store, [proposal])
    store.add_reports(0, trial.reports[:1], token=1)
    store.add_trials([trial], tokens={0: 1})
    store.add_intervention(Intervention("pause", {"reason": "x"}, "me", 3.0, 1))
    with open_store(shared_url, write=False) as reader:
        [found] = reader.history()
        assert reader.settings()["seed"] == 3
        assert reader.interventions() == [Intervention("pause", {"reason": "x"}, "me", 3.0, 1)]
        assert reader.problems()[0][2].to_json() == problem.to_json()
        with pytest.raises(StudyError, match="not open for writing"):
            reader.save_settings({})
    assert found.proposal == proposal and found.reports == trial.reports
    assert found.cause == "a zero byte \\x00 and a half of a character \\ud800"
    assert (found.resources, found.checkpoint) == (trial.resources, trial.checkpoint)
    assert found.extra == trial.extra and repr(found.costs) == "(inf, nan)"


def test_the_tables_are_those_of_the_schema_made_or_migrated(store, postgres):
    address = Address.of(postgres.url("migrated"))
    engine = sa.create_engine(
        address.url, connect_args={"options": f"-c search_path={address.schema}"}
    )
    with engine.begin() as connection:
        connection.exec_driver_sql(f'CREATE SCHEMA "{address.schema}"')
        migrate.upgrade(connection)
    for database in (engine, store._database._engine):
        with database.connect() as connection:
            context = MigrationContext.configure(connection)
            assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_an_older_study_is_brought_up_to_date(postgres, problem, proposal):
    address = Address.of(url := postgres.url("older"))
    engine = sa.create_engine(
        address.url, connect_args={"options": f"-c search_path={address.schema}"}
    )
    with engine.begin() as connection:
        connection.exec_driver_sql(f'CREATE SCHEMA "{address.schema}"')
        migrate.upgrade(connection, "0003")
    engine.dispose()
    with pytest.raises(StorageError, match=r"older Octavo.*write=True"):
        open_store(url, write=False)
    with open_store(url) as store:
        store.add_problem(problem, since=0)
        lease(store, [proposal(0)])
        assert [lease.token for lease in store.leases()] == [1]


# Who runs what ------------------------------------------------------------------------


def test_a_lease_ends_with_its_time_and_its_token_is_out_of_date_then(store, proposal, trial):
    lease(store, [proposal(0), proposal(1)], "first")
    assert store.sharing.take(0, "second") is None, "the first one still holds it"
    time.sleep(1.1)
    assert store.news(Seen(), store.problems()[0][2]).free == (0, 1)
    assert store.sharing.take(0, "second") == 2
    assert store.sharing.renew({0: 1, 1: 1}) == [0]
    with pytest.raises(LeaseLostError, match=r"trial 0 is no longer ours: second runs it"):
        store.add_trials([trial(0)], tokens={0: 1})
    with pytest.raises(LeaseLostError):
        store.add_reports(0, [Report(1, {"loss": 1.0})], token=1)
    store.sharing.release({0: 1})  # not ours to give back
    store.add_trials([trial(0, 0.25)], tokens={0: 2})
    store.add_trials([trial(1)], tokens={1: 1})  # renewed, so still the first one's
    assert store.history().indices.tolist() == [0, 1]
    assert store.sharing.take(0, "third") is None
    with pytest.raises(StudyError, match="already completed"):
        store.add_trials([trial(0)])


def test_what_is_given_back_is_free_at_once(store, proposal):
    lease(store, [proposal(0)])
    store.add_reports(0, [Report(1, {"loss": 1.0})], token=1)
    store.sharing.release({0: 1})
    assert store.sharing.take(0, "other") == 2
    with pytest.raises(LeaseLostError):
        store.sharing and store.add_reports(0, [Report(2, {"loss": 1.0})], token=1)


def test_of_many_who_propose_at_once_each_index_has_one(shared_url, problem, proposal):
    create_store(shared_url).add_problem(problem, since=0)

    def work(name):
        made = []
        with open_store(shared_url) as store:
            seen = Seen()
            while len(made) < 10:
                seen = store.news(seen, problem).seen
                if store.sharing.propose([proposal(seen.next_index)], revision=0, worker=name):
                    made.append(seen.next_index)
        return made

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(work, "abcd"))
    assert sorted(index for one in made for index in one) == list(range(40))
    with open_store(shared_url) as store:
        holders = {lease.index: lease.worker for lease in store.leases()}
    assert all(holders[i] == name for name, one in zip("abcd", made, strict=True) for i in one)


def test_everybody_sees_the_same_order_and_nothing_twice(shared_url, problem, proposal, trial):
    """Readers that look all the time while others complete see each trial once, in one order."""
    with create_store(shared_url) as store:
        store.add_problem(problem, since=0)
        lease(store, [proposal(i) for i in range(60)])
    ended = threading.Event()

    def complete(start):
        with open_store(shared_url) as store:
            for index in range(start, 60, 3):
                store.add_trials([trial(index)], tokens={index: 1})

    def look():
        seen, order = Seen(), []
        with open_store(shared_url) as store:
            while True:
                is_last = ended.is_set()
                news = store.news(seen, problem)
                seen = news.seen
                order += [t.index for t in news.trials]
                if is_last:
                    return order

    with ThreadPoolExecutor(5) as pool:
        readers = [pool.submit(look) for _ in range(2)]
        list(pool.map(complete, range(3)))
        ended.set()
        orders = [reader.result() for reader in readers]
    with open_store(shared_url) as store:
        whole = store.history().indices.tolist()
    assert sorted(whole) == list(range(60))
    assert orders == [whole, whole]


def test_nobody_proposes_for_a_problem_that_was_revised(store, problem, proposal):
    store.add_problem(problem, since=0)
    assert not store.sharing.propose([proposal(0)], revision=0, worker="me")
    assert store.news(Seen(), problem).revision == 1


# The inbox ----------------------------------------------------------------------------


def test_a_command_reaches_everybody_and_a_queued_configuration_one(store, shared_url):
    send(shared_url, Command("pause"))  # before anybody ran the study
    queued = Command("queue", {"config": {"rate": 0.1}}, who="anna")
    send(shared_url, queued)
    first, second = store.inbox("first"), store.inbox("second")
    assert [c.kind for c in first.poll()] == ["queue"]
    assert second.poll() == []
    send(shared_url, Command("stop", {"reason": "enough"}, who="bob"))
    [one], [other] = first.poll(), second.poll()
    assert one.kind == other.kind == "stop" and one.who == "bob"
    assert (one.is_first, other.is_first) == (True, False)
    assert first.poll() == second.poll() == []


def test_a_command_to_no_study_is_refused(postgres):
    with pytest.raises(StorageError, match="there is no study 'nobody'"):
        send(postgres.url("nobody"), Command("stop"))


# Connections --------------------------------------------------------------------------


@pytest.fixture
def proxy(postgres, proxy_to):
    return proxy_to(postgres.port)


@pytest.mark.parametrize("when", [b"COMMIT", b"INSERT INTO trials", b"BEGIN", b"UPDATE writes"])
def test_a_write_whose_answer_is_lost_is_done_once(when, proxy, postgres, problem, proposal, trial):
    url = postgres.url(f"cut-{len(when)}-{proxy.port}", port=proxy.port, patience=20)
    with create_store(url) as store:
        store.add_problem(problem, since=0)
        for index in range(3):
            lease(store, [proposal(index)])
            proxy.cut_after = when
            store.add_trials([trial(index)], tokens={index: 1})
            assert proxy.cut_after is None, "nothing was cut"
        proxy.cut_after = b"COMMIT"
        lease(store, [proposal(3)])  # it is ours, though the answer was lost
        assert [(one.index, one.token) for one in store.leases()] == [(3, 1)]
        proxy.cut_after = b"COMMIT"
        store.add_intervention(Intervention("pause", {}, "me", 3.0, 1))
        assert len(store.interventions()) == 1
        assert proxy.n_cut == 5
        assert store.history().indices.tolist() == [0, 1, 2]


def test_a_server_that_does_not_come_back_is_told_after_the_patience(proxy, postgres, problem):
    url = postgres.url(f"gone-{proxy.port}", port=proxy.port, patience=0.3)
    store = create_store(url)
    store.add_problem(problem, since=0)
    proxy.close()
    store._database._engine.dispose()
    with pytest.raises(StorageError, match=r"cannot be reached for 0 s.*Check that the server"):
        store.save_settings({})
    store.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://u@h/d", "names no study"),
        ("postgresql://u@h/d?study=", "names no study"),
        ("postgresql://u@h/d?study=a%20b", "names the study 'a b'"),
        ("postgresql://u@h/d?study=a&study=b", "study= more than once"),
        ("postgresql://u@h/d?study=a&folders=x", "unknown 'folders'.*Did you mean 'folder'"),
        ("postgresql://u@h/d?study=a&lease=soon", "lease='soon', which must be seconds"),
        ("postgresql://u@h/d?study=a&patience=-1", "patience='-1'"),
        ("mysql://u:secret@h/d?study=a", "of a 'mysql'"),
        ("postgresql://u@h:port/d?study=a", "cannot be read as a URL"),
        ("postgresql://u:x@secret@h/d?study=a", "write %40 for it"),
    ],
)
def test_a_wrong_address_is_refused_before_anything_is_tried(url, words):
    with pytest.raises(SettingError, match=words) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_told_at_once():
    began = time.monotonic()
    with pytest.raises(
        StorageError, match=r"'a' at postgresql://u@127.0.0.1:9/d cannot be reached"
    ):
        open_store("postgresql://u@127.0.0.1:9/d?study=a")
    assert time.monotonic() - began < 20


def test_who_has_no_rights_is_told_which_ones(store, shared_url, postgres, problem):
    name = f"anna{time.monotonic_ns()}"
    postgres.query(f"CREATE USER {name}")
    hers = shared_url.replace("octavo@", f"{name}@")
    with pytest.raises(StorageError, match=r"somebody else's.*GRANT USAGE ON SCHEMA"):
        open_store(hers)
    with pytest.raises(StorageError, match=r"permission denied.*GRANT CREATE ON DATABASE postgres"):
        create_store(hers.replace("study=", "study=new-"))
    schema = f'"{Address.of(shared_url).schema}"'
    postgres.query(f"GRANT ALL ON SCHEMA {schema} TO {name}")
    for what in ("TABLES", "SEQUENCES"):
        postgres.query(f"GRANT ALL ON ALL {what} IN SCHEMA {schema} TO {name}")
    with open_store(hers) as both:
        both.add_problem(problem, since=1)
    assert len(store.problems()) == 2

"""Many workers and many processes: do they stay busy, and is nothing lost or done twice?

    python benchmarks/scale.py workers                # 200 sleeping workers on a Dask cluster
    python benchmarks/scale.py coordinators           # 4 processes on one PostgreSQL study
    python benchmarks/scale.py two-workers            # one worker and two, on a machine at rest

Bars: the workers are busy at least 95 % of the time, from the first trial's start to the last
one's; four coordinators record 20,000 trivial trials, each once, at 100 or more a second together
and at 40 % or more of what bare psycopg does with the same statements; two workers finish a
search whose trials do nothing but compute 1.8 times as fast as one, from the call to its return.

The server is one of the benchmark's own (octavo.testing.postgres), on this machine's disk, with
PostgreSQL's defaults for durability.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import octavo

_DEFAULT_TRIALS = {"workers": 2_000, "coordinators": 5_000, "two-workers": 60}


def space() -> Any:
    """Six hyperparameters of several kinds."""
    return octavo.space(
        a=octavo.Float(0.0, 1.0),
        b=octavo.Float(0.0, 1.0),
        rate=octavo.Float(1e-5, 1e-1, log=True),
        width=octavo.Integer(1, 512, log=True),
        depth=octavo.Integer(1, 8),
        kind=octavo.Categorical(["a", "b", "c"]),
    )


# Workers ------------------------------------------------------------------------------


def sleeping(config: Mapping[str, Any], *, seed: int, scale: float) -> float:
    """Sleep 3 to 30 seconds, times a scale; the cost depends on the configuration alone."""
    time.sleep(scale * np.random.default_rng(seed).uniform(3.0, 30.0))
    return (config["a"] - 0.3) ** 2 + abs(np.log10(config["rate"]) + 3) / 10 + config["depth"] / 80


def workers(given: argparse.Namespace) -> None:
    """Run a study on many sleeping threads of a Dask cluster; print how busy they were."""
    from distributed import Client, LocalCluster

    from octavo.executors import DaskExecutor

    n_processes = 4
    with (
        TemporaryDirectory() as room,
        LocalCluster(
            n_workers=n_processes,
            threads_per_worker=given.workers // n_processes,
            processes=True,
            silence_logs=50,
            dashboard_address=":0",
        ) as cluster,
        Client(cluster) as client,
    ):
        study = octavo.Study(
            space(), optimizer=given.optimizer, seed=0, storage=Path(room) / "study"
        )
        cpu_s = time.process_time()
        study.run(
            sleeping,
            max_trials=given.trials,
            data={"scale": given.scale},
            executor=DaskExecutor(client, processes=False),
            progress=False,
        )
        cpu_s = time.process_time() - cpu_s
        started, ended = study.history.started, study.history.ended
        study.close()
    slots = given.workers // n_processes * n_processes
    window = started.min(), started.max()
    busy = np.minimum(ended, window[1]) - np.minimum(started, window[1])
    share = busy.sum() / (slots * (window[1] - window[0]))
    rate = len(started) / (window[1] - window[0])
    print(
        f"{slots} workers, {len(started):,} trials of {3 * given.scale:g} to "
        f"{30 * given.scale:g} s, {given.optimizer}: {rate:.1f} trials/s, the study's own process "
        f"took {1000 * cpu_s / len(started):.1f} ms of CPU for each; busy {share:.1%}   "
        "(bar: >= 95 %)"
    )


# Coordinators -------------------------------------------------------------------------

COORDINATOR = """
import sys
sys.path.insert(0, sys.argv[3])
import scale
scale.ROLES[sys.argv[1]](sys.argv[2], int(sys.argv[4]))
"""


def coordinate(url: str, n_trials: int) -> None:
    """One process of several that run a study of trivial trials."""
    with octavo.open_study(url) as study:
        sys.stdin.readline()  # all begin at once
        study.run(lambda config: config["a"], max_trials=n_trials, progress=False)


def bare(url: str, n_trials: int) -> None:
    """The statements that `coordinate` sends, with nothing around them."""
    from octavo.storage import Address

    address = Address.of(url)
    connection = _bare_connection(address)
    loop = _BareLoop(connection, address)
    sys.stdin.readline()
    while loop.step(n_trials):
        continue
    connection.close()


ROLES: Mapping[str, Callable[[str, int], None]] = {"octavo": coordinate, "bare": bare}


def _bare_connection(address: Any) -> Any:
    import psycopg

    url = address.url
    connection = psycopg.connect(
        host=url.host, port=url.port, user=url.username, dbname=url.database, autocommit=True
    )
    connection.execute(f'SET search_path TO "{address.schema}"')
    return connection


class _BareLoop:
    """What happens on the connection for one trial."""

    def __init__(self, connection: Any, address: Any) -> None:
        import os

        from octavo.storage import postgres, sharing
        from octavo.storage.rows import proposal_to_row, trial_to_row
        from octavo.trial import Proposal, Resources, Status, Trial

        self.run = connection.execute
        self.worker = f"bare pid {os.getpid()}"
        proposal = Proposal(0, dict.fromkeys(("a", "b", "rate", "width"), 0.5), seed=1)
        self.proposal = proposal_to_row(proposal, 0)
        trial = Trial(proposal, Status.SUCCESS, (0.5,), resources=Resources(1.0, 1.0, 1.0))
        self.trial = trial_to_row(trial, 0, 0)
        self.seen_id, self.next_index, self.number = 0, 0, 0
        self.proposal |= {"worker": self.worker, "token": 1, "lease_s": 60.0}
        statements = {
            "look": sharing._LOOK,
            "proposals": sharing._NEW_PROPOSALS,
            "rows": sharing._TRIALS,
            "take_turn": postgres._TAKE_TURN,
            "end_turn": postgres._END_TURN,
            "begin": postgres._BEGIN,
            "propose": sharing._PROPOSE,
            "tokens": sharing._TOKENS,
            "complete": sharing._COMPLETE,
            "flush": postgres._FLUSH,
        }
        self.text = {name: statement.text for name, statement in statements.items()}

    def look(self) -> None:
        """See what others did."""
        _, top, last_id, _ = self.run(self.text["look"], {"lease_s": 60.0}).fetchone()
        top = -1 if top is None else top
        if top >= self.next_index:
            within = {"first": self.next_index, "last": top}
            self.run(self.text["proposals"], within).fetchall()
            self.next_index = top + 1
        if last_id and last_id > self.seen_id:
            self.learn(last_id)

    def learn(self, last_id: int) -> None:
        """See what was completed."""
        within = {"first": self.seen_id + 1, "last": last_id}
        rows = self.run(self.text["rows"], within).fetchall()
        self.seen_id = rows[-1][-1] if rows else self.seen_id

    def begin(self) -> dict[str, Any]:
        """Begin to write."""
        self.number += 1
        me = {"writer": self.worker, "number": self.number, "key": 1}
        self.run("BEGIN")
        self.run(self.text["begin"], me).fetchone()
        return me

    def step(self, n_trials: int) -> bool:
        """Propose and complete one; False when there are enough."""
        text = self.text
        self.run(text["take_turn"], {"key": 2})
        self.look()
        index = self.next_index
        if index >= n_trials:
            self.run(text["end_turn"])
            return False
        self.begin()
        at = {"proposal_index": index}
        self.run(text["propose"], {**self.proposal, **at}).fetchone()
        self.run("COMMIT")
        self.run(text["end_turn"])
        self.next_index = index + 1
        me = self.begin()
        self.run(text["tokens"], {"ours": [index]}).fetchall()
        self.run(text["complete"], {**self.trial, **at})
        self.run("COMMIT")
        self.run(text["flush"], me)
        self.learn(2**31 - 1)
        return True


def together(role: str, url: str, n_processes: int, n_trials: int) -> tuple[float, float]:
    """Run processes of a role at the same time; wall and CPU seconds until all have ended."""
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", COORDINATOR, role, url, here, str(n_trials)]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(n_processes)]
    time.sleep(5.0)  # until all have imported what they need
    cpu_s, began = _cpu_s(), time.perf_counter()
    for child in children:
        assert child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.close()
    codes = [child.wait() for child in children]
    assert not any(codes), f"a process ended with {codes}"
    return time.perf_counter() - began, _cpu_s() - cpu_s


def coordinators(given: argparse.Namespace) -> None:
    """Run several processes on one study, then the bare statements; print both rates."""
    from octavo.testing.postgres import LocalPostgres

    n = given.coordinators * given.trials
    rates, cpu_ms = {}, {}
    with LocalPostgres() as server:
        for role in ("octavo", "bare"):
            url = server.url(role)
            octavo.Study(space(), optimizer="random", seed=0, storage=url).close()
            wall_s, cpu_s = together(role, url, given.coordinators, n)
            rates[role], cpu_ms[role] = n / wall_s, 1000 * cpu_s / n
            with octavo.open_study(url) as study:
                indices = study.history.indices.tolist()
                assert sorted(indices) == list(range(n)), f"{role}: lost or twice"
                assert not study.pending
    share = rates["octavo"] / rates["bare"]
    print(
        f"{given.coordinators} coordinators, {n:,} trials, none lost, none twice: "
        f"{rates['octavo']:.0f} trials/s   (bar: >= 100); bare psycopg {rates['bare']:.0f}/s, "
        f"so {share:.0%}   (bar: >= 40 %)"
    )
    # What else runs on the machine lowers rates, and hardly changes these.
    print(
        f"CPU of all processes and the server for each trial: {cpu_ms['octavo']:.1f} ms, bare "
        f"{cpu_ms['bare']:.1f} ms, {cpu_ms['bare'] / cpu_ms['octavo']:.0%}"
    )


def _cpu_s() -> float:
    """CPU seconds of our children and theirs, those that have ended included."""
    import resource

    import psutil

    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = ended.ru_utime + ended.ru_stime
    for child in psutil.Process().children():
        times = child.cpu_times()
        spent += times.user + times.system + times.children_user + times.children_system
        for one in child.children(recursive=True):
            times = one.cpu_times()
            spent += times.user + times.system
    return spent


# Two workers --------------------------------------------------------------------------


def computing(config: Mapping[str, Any], *, loops: int) -> float:
    """Compute, the same for every configuration; the cost depends on the configuration alone."""
    x = 0.5
    for _ in range(loops):
        x = 3.7 * x * (1.0 - x)
    return sleeping(config, seed=0, scale=0.0) + 1e-9 * x


def two_workers(given: argparse.Namespace) -> None:
    """Run the same search with one worker and with two, in turn; print by how much they differ."""
    began = time.process_time()
    computing(space().default(), loops=1_000_000)
    loops = int(1_000_000 * 0.3 * given.scale / (time.process_time() - began))
    ratios = []
    for _ in range(given.pairs):
        taken = {}
        for n_workers in (1, 2):
            began = time.perf_counter()
            octavo.minimize(
                computing,
                space(),
                max_trials=given.trials,
                workers=n_workers,
                optimizer=given.optimizer,
                data={"loops": loops},
                seed=0,
                progress=False,
            )
            taken[n_workers] = time.perf_counter() - began
        ratios.append(taken[1] / taken[2])
        print(f"one worker {taken[1]:.2f} s, two {taken[2]:.2f} s: {ratios[-1]:.2f} times as fast")
    print(
        f"{given.trials} trials of {0.3 * given.scale:g} s of CPU, {given.optimizer}: two workers "
        f"are {np.median(ratios):.2f} times as fast as one, the median of {given.pairs} pairs   "
        "(bar: >= 1.8)"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=list(_DEFAULT_TRIALS))
    parser.add_argument("--workers", type=int, default=200)
    parser.add_argument("--trials", type=int, help="workers: in all; coordinators: of each")
    parser.add_argument("--scale", type=float, default=1.0, help="how long trials take")
    parser.add_argument("--optimizer", help="tpe; two-workers: auto")
    parser.add_argument("--coordinators", type=int, default=4)
    parser.add_argument("--pairs", type=int, default=5, help="two-workers: how often")
    given = parser.parse_args()
    given.trials = given.trials or _DEFAULT_TRIALS[given.what]
    given.optimizer = given.optimizer or ("auto" if given.what == "two-workers" else "tpe")
    roles = {"workers": workers, "coordinators": coordinators, "two-workers": two_workers}
    roles[given.what](given)


if __name__ == "__main__":
    main()

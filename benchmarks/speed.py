"""How long the parts take that every user waits for: spaces, proposals, tables, ensembles.

    python benchmarks/speed.py

Bar: a proposal of the random-forest optimizer takes less than 100 ms at 200 trials on a mixed
space of 10 dimensions. ConfigSpace does the same work on the same space beside ours. CPU time of
this process, the best of several rounds; nothing here runs in parallel.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

import octavo
from octavo.ensemble.metrics import get_metric
from octavo.ensemble.selection import select
from octavo.optimizers import recipe
from octavo.problem import Limits, Problem
from octavo.spaces import HyperparameterSpace
from octavo.tabular.pipeline import first_configurations, make_pipeline, shape_of
from octavo.tabular.schema import infer_schema
from octavo.trial import Status, Trial


def cpu_ms(work: Callable[[], object], rounds: int) -> float:
    """Milliseconds of CPU time that a call takes, at best."""
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken) * 1e3


def say(what: str, ms: float, note: str = "") -> None:
    """One line."""
    print(f"{what:58} {ms:10.2f} ms   {note}".rstrip(), flush=True)


def mixed() -> HyperparameterSpace:
    """Ten hyperparameters of several kinds, three of them conditional."""
    return octavo.space(
        model=octavo.Categorical(["tree", "net", "line"]),
        rate=octavo.Float(1e-5, 1e-1, log=True),
        decay=octavo.Float(1e-8, 1.0, log=True),
        mix=octavo.Float(0.0, 1.0),
        share=octavo.Float(0.1, 1.0),
        depth=octavo.Integer(1, 12).when(model="tree"),
        width=octavo.Integer(8, 1024, log=True).when(model="net"),
        layers=octavo.Integer(1, 6).when(model="net"),
        size=octavo.Ordinal([16, 32, 64, 128]),
        scale=octavo.Categorical(["none", "standard", "rank"]),
    )


def cost(config: dict[str, object]) -> float:
    """Something with a shape, so that the forest has something to learn."""
    rate = abs(np.log10(float(config["rate"])) + 3)  # type: ignore[arg-type]
    model = {"tree": 0.0, "net": 0.3, "line": 0.6}[str(config["model"])]
    return float(rate + model + abs(float(config["mix"]) - 0.7))  # type: ignore[arg-type]


def spaces(rounds: int) -> None:
    """The vectorized space beside ConfigSpace."""
    from ConfigSpace import Configuration, ConfigurationSpace

    space = mixed()
    peer = ConfigurationSpace.from_serialized_dict(space.to_json()["space"])
    n = 1_000
    rng = np.random.default_rng(0)
    points = space.sample(n, rng)
    configs = space.decode(points)
    theirs = [dict(config) for config in peer.sample_configuration(n)]
    pairs: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
        (
            f"sample {n:,} configurations",
            lambda: space.decode(space.sample(n, rng)),
            lambda: [dict(config) for config in peer.sample_configuration(n)],
        ),
        (
            f"encode {n:,} configurations as numbers",
            lambda: space.encode(configs),
            lambda: np.array([Configuration(peer, values=c).get_array() for c in theirs]),
        ),
        (
            f"check {n:,} configurations",
            lambda: [space.check(config) for config in configs],
            lambda: [Configuration(peer, values=config) for config in theirs],
        ),
    ]
    for what, ours, their in pairs:
        ms, peer_ms = cpu_ms(ours, rounds), cpu_ms(their, rounds)
        say(what, ms, f"ConfigSpace {peer_ms:.2f} ms, {peer_ms / ms:.1f} times as long")
    say(f"mutate {n:,} configurations", cpu_ms(lambda: space.mutate(points, rng), rounds))


def proposals(rounds: int) -> None:
    """Ask and tell of the random-forest optimizer, after so many trials."""
    problem = Problem(mixed(), limits=Limits(max_trials=2_000))
    for n in (50, 200, 1_000):
        optimizer = recipe("random-forest").start(problem, 0)
        rng = np.random.default_rng(0)
        known = problem.space.decode(problem.space.sample(n, rng))
        (first,) = optimizer.ask(1)
        told = [
            Trial(type(first)(index=i, config=config, seed=i), Status.SUCCESS, (cost(config),))
            for i, config in enumerate(known)
        ]
        optimizer.tell(told)
        taken = []
        for _ in range(3 * rounds):
            began = time.process_time()
            (proposal,) = optimizer.ask(1)
            trial = Trial(proposal, Status.SUCCESS, (cost(dict(proposal.config)),))
            optimizer.tell([trial])
            taken.append(time.process_time() - began)
        say(
            f"random forest, one proposal after {n:,} trials",
            float(np.mean(taken)) * 1e3,
            f"mean of {len(taken)}" + ("   (bar: < 100 ms)" if n == 200 else ""),
        )


def tables(rounds: int) -> None:
    """From a raw table to a matrix: 10,000 rows of numbers, categories, dates and text."""
    rng = np.random.default_rng(0)
    n = 10_000
    words = np.array(["red", "fast", "old", "large", "cheap", "rare", "clean", "soft"])
    table = pd.DataFrame({f"x{i}": rng.normal(size=n) for i in range(12)})
    table["missing"] = np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n))
    for i, levels in enumerate((3, 12, 200)):
        table[f"c{i}"] = rng.integers(levels, size=n).astype(str)
    table["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(900, size=n), "D")
    table["text"] = [" ".join(row) for row in words[rng.integers(len(words), size=(n, 6))]]
    y = (table["x0"] + rng.normal(size=n) > 0).to_numpy().astype(np.int64)
    say("kinds of 18 columns, 10,000 rows", cpu_ms(lambda: infer_schema(table, y), rounds))
    schema = infer_schema(table, y)
    say("canonical table of it", cpu_ms(lambda: schema.apply(table), rounds))
    X = schema.apply(table)
    shape = shape_of(schema, X, y, "binary")
    config = next(c for c in first_configurations(schema, shape) if c["model"] == "lightgbm")
    pipeline = make_pipeline(config, schema, shape, seed=0)
    began = time.process_time()
    pipeline.fit(X, y)
    say("fit of LightGBM's first pipeline on it", (time.process_time() - began) * 1e3)
    say("its predictions for it", cpu_ms(lambda: pipeline.predict_scores(X), rounds))


def ensembles(rounds: int) -> None:
    """Forty greedy steps over fifty models."""
    rng = np.random.default_rng(0)
    n = 10_000
    for name, k in (("log_loss", 5), ("roc_auc", 2), ("accuracy", 5)):
        y = rng.integers(k, size=n)
        truth = np.eye(k)[y]
        models = [
            truth * 0.4 + rng.dirichlet(np.ones(k), size=n) * (0.6 + 0.02 * i) for i in range(50)
        ]
        models = [model / model.sum(axis=1, keepdims=True) for model in models]
        metric = get_metric(name, "binary" if k == 2 else "multiclass")
        ms = cpu_ms(lambda: select(models, y, metric, size=40), max(1, rounds // 3))  # noqa: B023
        say(f"greedy selection by {name}: 50 models, 10,000 rows, {k} classes", ms)


PARTS = {"spaces": spaces, "proposals": proposals, "tables": tables, "ensembles": ensembles}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--parts", default=",".join(PARTS), help="which, of: " + ", ".join(PARTS))
    given = parser.parse_args()
    for name in given.parts.split(","):
        PARTS[name](given.rounds)


if __name__ == "__main__":
    main()

"""Beliefs: what good and wrong ones do to Octavo's optimizers.

    S=octavo:auto,octavo:auto@good,octavo:auto@bad,octavo:random
    python benchmarks/hpo/priors.py --systems $S
    python benchmarks/hpo/priors.py --show

"@good" centres a belief on a configuration drawn from the best 1 % of 1,000 random ones, "@bad" on
the worst of them; each number's belief is normal with a standard deviation of 0.15 of its unit
range, each choice's weighs the believed one as many times as there are choices. Tables, surrogates
and functions only, as a belief needs no conditions to be tested. Run `octavo:random` too: its
median after 100 trials is the mark that good beliefs should pass in 10.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from catalog import KINDS, Places, load
from reference import read
from reporting import markdown, paired, read_rows
from results import KEY, shown
from scripts import script
from searching import search, timings
from summarize import incumbents
from systems import load as load_system

from octavo.spaces import HyperparameterSpace, Space

RESULTS = Path(__file__).parent / "priors.csv"
FIELDS = (*KEY, "best_100", "ms_median", "ms_mean", "ms_p95", "wall_s", "failed", "improvements")
TASKS = [
    "hpobench/credit_g", "hpobench/phoneme", "hpolib/protein_structure",
    "hpolib/slice_localization", "yahpo/rbv2_rpart/1068", "yahpo/rbv2_rpart/41150",
    "function/hartmann6", "function/mixed",
]  # fmt: skip
SPREAD = 0.15
N_KNOWN = 1000


@cache
def known(task: str, where: Places) -> tuple[Mapping[str, Any], ...]:
    """Random configurations from the best to the worst."""
    its = load(task, where)
    configs = its.space.decode(its.space.sample(N_KNOWN, np.random.default_rng(7)))
    return tuple(sorted(configs, key=its.cost))


def believed(space: Space, centre: Mapping[str, Any]) -> Space:
    """The space with a belief around a configuration, which is also the new default."""
    assert isinstance(space, HyperparameterSpace)
    domains = {domain.name: domain for domain in space.domains}
    language = copy.deepcopy(space.to_json())["space"]
    for item in language["hyperparameters"]:
        name = item["name"]
        if name not in centre:
            continue  # inactive there: nothing is believed about it
        domain = domains[name]
        if domain.kind == "categorical":
            n = float(len(domain.choices))
            weights = [n if choice == centre[name] else 1.0 for choice in domain.choices]
            belief: dict[str, Any] = {"kind": "weights", "weights": weights}
        else:
            at = float(domain.unit(np.array([domain.store(centre[name])]))[0])
            belief = {"kind": "normal", "at": at, "spread": SPREAD}
        item["meta"] = {"octavo": {"belief": belief}}
        item["default_value"] = centre[name]
    return HyperparameterSpace(language)


def run(where: Places, task: str, seed: int, system: str, trials: int) -> Mapping[str, Any]:
    """The columns of one run."""
    its = load(task, where)
    problem = its.problem(trials)
    name, _, belief = system.partition("@")
    configs = known(task, where)
    if belief == "good":
        place = int(np.random.default_rng([11, seed]).integers(N_KNOWN // 100))
        problem = replace(problem, space=believed(problem.space, configs[place]))
    elif belief == "bad":
        problem = replace(problem, space=believed(problem.space, configs[-1]))
    elif belief:
        raise SystemExit(f"there is no belief @{belief}; use @good or @bad.")
    record = search(its, load_system(name), seed, trials, problem=problem)
    return {
        "best_100": shown(record.best(trials)),
        "best": shown(record.best(trials)),
        "improvements": record.improvements(),
        **timings(record.cpu_ms),
    }


def show(paths: Sequence[Path], systems: Sequence[str], trials: int) -> str:
    """For each task and system, the first trial at which its median passes the two marks.

    And the mean normalized regret after all trials, with that of a wrong belief relative to
    none.
    """
    frame = read_rows(paths, trials)
    curves = [incumbents(text, range(1, trials + 1)) for text in frame["improvements"]]
    systems = systems or sorted(set(frame["system"]) - {"octavo:random"})
    plain = {system: system.partition("@")[0] for system in systems}
    frame["curve"] = curves
    tasks = sorted(set(frame["task"]))
    medians = {
        (task, system): np.median(np.stack(list(rows["curve"])), axis=0)
        for task in tasks
        for system in sorted(set(frame["system"]))
        if len(rows := frame[(frame["task"] == task) & (frame["system"] == system)])
    }
    passes: dict[str, list[str]] = {task: [] for task in tasks}
    for task in tasks:
        for system in systems:
            for mark in ("octavo:random", plain[system]):
                if (task, system) not in medians or (task, mark) not in medians:
                    passes[task].append("")
                    continue
                passed = medians[task, system] <= medians[task, mark][-1]
                passes[task].append(str(int(np.argmax(passed)) + 1) if passed.any() else "never")
    head = ["task", *(f"{s}: {m}" for s in systems for m in ("random's 100", "no belief's 100"))]
    reference = read()
    best = {task: frame.loc[frame["task"] == task, "best_100"].min() for task in tasks}
    low = frame["task"].map({t: min(reference[t][0], best[t]) for t in tasks})
    frame["regret"] = (frame["best_100"] - low) / (
        frame["task"].map({t: reference[t][1] for t in tasks}) - low
    )
    values, _ = paired(frame, systems, "regret")
    means = dict(zip(systems, values.mean(axis=(1, 2)), strict=True))
    regret = {
        system: [
            f"{means[system]:.4f}",
            f"{means[system] / means[plain[system]]:.3f}" if plain[system] in means else "",
        ]
        for system in systems
    }
    second = markdown(["system", "mean regret 100", "relative to no belief"], regret)
    return f"First trial that passes (median of seeds)\n\n{markdown(head, passes)}\n\n{second}"


if __name__ == "__main__":
    assert set(TASKS) <= set(KINDS)
    script(__doc__, out=RESULTS, fields=FIELDS, tasks=TASKS, trials=100, run=run, show=show)

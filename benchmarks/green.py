"""What `StopWhenNotWorth` saves in energy, and what it gives up for it.

Each run is a search of 100 trials that nobody stops, over a recorded table or a surrogate that
tells how long each training took. Its energy is that time times 12 W, the estimate for one
busy core. Callbacks with different exchange rates watch the same run; where one says stop, its
share of the energy is saved, and what the search found later is given up.

The rate says what a full run's energy is worth: "1 %" that one trial's energy is worth as much
as a hundredth of what the search gains after its first ten trials, on average over seeds.

    python benchmarks/green.py --data DIR --seeds 0-4            # appends to green.csv
    python benchmarks/green.py --show
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "hpo"))

import tables  # noqa: E402
import yahpo  # noqa: E402
from catalog import HALF, KINDS, Places, add_places, chosen, places  # noqa: E402

from octavo.callbacks import Completed, Started, StopWhenNotWorth  # noqa: E402
from octavo.history import History  # noqa: E402
from octavo.optimizers import recipe  # noqa: E402
from octavo.problem import Limits, Problem  # noqa: E402
from octavo.spaces import Space  # noqa: E402
from octavo.trial import Proposal, Resources, Status, Trial  # noqa: E402

N_TRIALS = 100
N_FIRST = 10
WATTS = 12.0
RATES = (0.0001, 0.001, 0.003, 0.01, 0.03)
RESULTS = HERE / "green.csv"
COLUMNS = (
    "task", "half", "seed", "rate", "stopped_at", "kwh", "kwh_full", "saved_share",
    "cost", "cost_full", "cost_first", "regret_share", "bound", "worth", "price",
)  # fmt: skip
TASKS = [name for name, kind in KINDS.items() if kind in ("table", "surrogate")]

Evaluate = Callable[[dict[str, Any]], tuple[float, float]]


def timed(name: str, where: Places) -> tuple[Space, Evaluate]:
    """A task's space; its cost and training seconds at a configuration."""
    if name in yahpo.NAMES:
        if where.data is None:
            raise SystemExit(f"{name} needs data: give --data DIR or set OCTAVO_DATA.")
        _, scenario, data_set = name.split("/")
        its = yahpo.surrogate(scenario, data_set, where.data)
        quantities = (*yahpo.SINGLE[scenario], "timetrain")

        def predicted(config: dict[str, Any]) -> tuple[float, float]:
            cost, seconds = its.predict([config], quantities)[0]
            return float(cost), max(0.0, float(seconds))

        return its.space, predicted
    table = tables.load(name)
    costs, seconds = table.means("cost"), table.means("time")
    return table.space, lambda config: (
        float(costs[table.at(config)]),
        float(seconds[table.at(config)]),
    )


def searched(space: Space, evaluate: Evaluate, seed: int) -> list[Trial]:
    """A run of Octavo's default that nobody stops."""
    optimizer = recipe("auto").start(Problem(space, limits=Limits(N_TRIALS)), seed)
    found: list[Trial] = []
    while len(found) < N_TRIALS:
        [proposal] = optimizer.ask(1)
        found.append(as_trial(proposal, *evaluate(dict(proposal.config))))
        optimizer.tell(found[-1:])
    return found


def as_trial(proposal: Proposal, cost: float, seconds: float) -> Trial:
    """With the energy that the training would have taken."""
    kwh = seconds * WATTS / 3.6e6
    how = {"energy_kwh": f"recorded training time x {WATTS:g} W"}
    return Trial(
        proposal, Status.SUCCESS, (cost,),
        resources=Resources(wall_s=seconds, cpu_s=seconds, energy_kwh=kwh, how=how),
    )  # fmt: skip


def watched(space: Space, trials: list[Trial], gain: float, price: float) -> StopWhenNotWorth:
    """A callback that heard of the trials until it said stop."""
    stop = StopWhenNotWorth(gain, price_per_kwh=price)
    history = History(Problem(space))
    stop(Started(history, Limits(N_TRIALS), 1))
    for trial in trials:
        history.append(trial)
        if stop(Completed(trial, history)) is not None:
            break
    return stop


def rows(name: str, seeds: list[int], where: Places) -> Iterator[tuple[Any, ...]]:
    """One row for each seed and rate."""
    space, evaluate = timed(name, where)
    runs = {seed: searched(space, evaluate, seed) for seed in seeds}
    lowest = {
        seed: np.minimum.accumulate([trial.costs[0] for trial in run]) for seed, run in runs.items()
    }
    used = {
        seed: np.cumsum([trial.resources.energy_kwh or 0.0 for trial in run])
        for seed, run in runs.items()
    }
    # What there was to find after the first trials, and what a trial takes, over all seeds.
    unit = float(np.mean([best[N_FIRST - 1] - best[-1] for best in lowest.values()]))
    each_kwh = float(np.mean([kwh[-1] for kwh in used.values()])) / N_TRIALS
    for seed, run in runs.items():
        best, kwh = lowest[seed], used[seed]
        for rate in RATES:
            stop = watched(space, run, 1.0 / max(unit, 1e-300), rate / each_kwh)
            last = stop.appraisals[-1]
            ended = len(stop.appraisals) > 1 and not any(
                a.is_worth_it for a in stop.appraisals[-2:]
            )
            n = last.n_trials if ended else N_TRIALS
            given_up = best[n - 1] - best[-1]
            yield (
                name, HALF[name], seed, rate, n, kwh[n - 1], kwh[-1], 1 - kwh[n - 1] / kwh[-1],
                best[n - 1], best[-1], best[N_FIRST - 1], given_up / max(unit, 1e-300),
                last.regret_bound, last.worth, last.price,
            )  # fmt: skip


def show(path: Path) -> None:
    """What the rows say, by rate and by task."""
    import pandas as pd

    found = pd.read_csv(path)
    for half in ("develop", "report"):
        print(f"\n{half}: means over {found[found.half == half].task.nunique()} tasks")
        print(f"{'rate':>8} {'trials':>7} {'kWh saved':>10} {'regret given up':>16} {'none':>6}")
        for rate, some in found[found.half == half].groupby("rate"):
            none = (some.regret_share <= 0).mean()
            print(
                f"{rate:8.2%} {some.stopped_at.mean():7.1f} {some.saved_share.mean():10.1%} "
                f"{some.regret_share.mean():16.2%} {none:6.0%}"
            )
    print(f"\nby task at a rate of {RATES[3]:.0%}: kWh of all seeds, and saved; cost, and regret")
    for task, some in found[found.rate == RATES[3]].groupby("task"):
        full = some.kwh_full.sum()
        saved = full - some.kwh.sum()
        print(
            f"{task:34} {full:10.3e} {saved:10.3e} ({saved / full:4.0%})"
            f"  {some.cost_full.mean():10.5g} +{(some.cost - some.cost_full).mean():.3g}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add_places(parser)
    parser.add_argument("--tasks", default="all", help="names, starts of names, or a half")
    parser.add_argument("--seeds", default="0-4", help="such as 0-4")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--show", action="store_true", help="only print what the rows say")
    arguments = parser.parse_args()
    if not arguments.show:
        first, _, last = arguments.seeds.partition("-")
        seeds = list(range(int(first), int(last or first) + 1))
        is_new = not arguments.out.exists()
        with arguments.out.open("a", newline="") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(COLUMNS)
            for name in chosen(arguments.tasks, TASKS):
                for row in rows(name, seeds, places(arguments)):
                    writer.writerow(
                        [f"{value:.6g}" if isinstance(value, float) else value for value in row]
                    )
                file.flush()
                print(f"{name}: done", flush=True)
    show(arguments.out)


if __name__ == "__main__":
    main()

"""All trials of a question, as columns: `History`.

Append-only and cheap to extend. Whatever learns (optimizers, ensembles, explanations) reads
a history and never writes to it. It reads the same from memory, a database or a file: a
storage hands over columns at once and builds a `Trial` only when somebody looks at it.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from octavo.errors import ProblemError
from octavo.measured import Methods, is_comparable, measured_names, methods_of
from octavo.numerics.hypervolume import hypervolume_gains
from octavo.numerics.pareto import nondominated
from octavo.problem import Problem
from octavo.spaces.protocol import Points
from octavo.standings import Standing, Standings, outcome, pair_of
from octavo.trial import Status, Trial

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Columns", "History", "Improvement"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

STATUSES = tuple(Status)
_CODE = {status: code for code, status in enumerate(STATUSES)}


@dataclass(frozen=True, slots=True)
class Improvement:
    """One step of the incumbent's path.

    Parameters
    ----------
    n_trials
        How many trials had been completed, this one included.
    elapsed_s
        Seconds from the start of the first trial to the end of this one; NaN if unknown.
    index
        The trial that became the incumbent.
    cost
        Its (mean) first cost, minimized.
    """

    n_trials: int
    elapsed_s: float
    index: int
    cost: float


@dataclass(slots=True)
class Columns:
    """The numbers of `n` trials in order of completion, one array per quantity.

    Parameters
    ----------
    index : shape (n,), int
        Number of the proposal.
    status : shape (n,), int
        Position in `octavo.history.STATUSES`.
    costs : shape (n, number of objectives)
        Minimized; NaN where there is none.
    constraints : shape (n, number of constraints)
        Measured values; NaN where there is none.
    fidelity, started, ended : shape (n,)
        NaN where unknown; times in seconds since the epoch.
    """

    index: NDArray[np.int64]
    status: NDArray[np.int8]
    costs: Floats
    constraints: Floats
    fidelity: Floats
    started: Floats
    ended: Floats

    @staticmethod
    def of(problem: Problem, trials: Sequence[Trial]) -> Columns:
        """The columns of some trials."""
        n = len(trials)
        nan = float("nan")
        return Columns(
            index=np.array([t.proposal.index for t in trials], dtype=np.int64),
            status=np.array([_CODE[t.status] for t in trials], dtype=np.int8),
            costs=np.array([t.costs for t in trials], dtype=float).reshape(n, problem.n_objectives),
            constraints=np.array(
                [t.constraints or (nan,) * len(problem.constraints) for t in trials], dtype=float
            ).reshape(n, len(problem.constraints)),
            fidelity=np.array([_or_nan(t.proposal.fidelity) for t in trials], dtype=float),
            started=np.array([_or_nan(t.started) for t in trials], dtype=float),
            ended=np.array([_or_nan(t.ended) for t in trials], dtype=float),
        )

    def names(self) -> tuple[str, ...]:
        """The names of all columns."""
        return ("index", "status", "costs", "constraints", "fidelity", "started", "ended")


class History(Sequence[Trial]):
    """The completed trials of a problem, in order of completion.

    Parameters
    ----------
    problem
        What the trials answer.
    trials
        Completed trials, in order of completion.
    """

    def __init__(self, problem: Problem, trials: Iterable[Trial] = ()) -> None:
        self.problem = problem
        self._trials: list[Trial | None] = []
        self._build: Callable[[int], Trial] | None = None
        self._buffer = Columns.of(problem, ())
        self._points: Points | None = None
        self._methods: Methods = {}
        self._alike: Bools = np.empty(0, dtype=bool)
        self._raced: tuple[int, Standings] = (0, Standings())
        self.extend(trials)

    @classmethod
    def from_columns(
        cls, problem: Problem, columns: Columns, build: Callable[[int], Trial]
    ) -> History:
        """A history whose trials are built when first looked at.

        Parameters
        ----------
        problem
            What the trials answer.
        columns
            Their numbers.
        build
            Given a position, makes the trial.
        """
        history = cls(problem)
        history._trials = [None] * len(columns.index)
        history._build = build
        history._buffer = columns
        return history

    def extend(self, trials: Iterable[Trial]) -> None:
        """Add completed trials at the end."""
        new = list(trials)
        if not new:
            return
        start, stop = len(self._trials), len(self._trials) + len(new)
        added = Columns.of(self.problem, new)
        for name in added.names():
            array = getattr(self._buffer, name)
            if len(array) < stop:  # grow by doubling, so that appending is cheap
                grown = np.empty((max(2 * len(array), stop, 16), *array.shape[1:]), array.dtype)
                grown[:start] = array[:start]
                setattr(self._buffer, name, grown)
            getattr(self._buffer, name)[start:stop] = getattr(added, name)
        self._trials.extend(new)

    def append(self, trial: Trial) -> None:
        """Add one completed trial at the end."""
        self.extend((trial,))

    def __len__(self) -> int:
        return len(self._trials)

    @overload
    def __getitem__(self, position: int) -> Trial: ...
    @overload
    def __getitem__(self, position: slice) -> list[Trial]: ...
    def __getitem__(self, position: int | slice) -> Trial | list[Trial]:
        if isinstance(position, slice):
            return [self[i] for i in range(*position.indices(len(self)))]
        trial = self._trials[position]
        if trial is None:
            assert self._build is not None
            position = range(len(self))[position]
            trial = self._trials[position] = self._build(position)
        return trial

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy or a pickle brings its trials along instead of a way to a database.
        return History, (self.problem, list(self))

    def __repr__(self) -> str:
        return f"History({len(self)} trials, {int(self.succeeded.sum())} succeeded)"

    # Columns -------------------------------------------------------------------------

    @property
    def indices(self) -> NDArray[np.int64]:
        """Shape (n,): the number of each trial's proposal."""
        return self._buffer.index[: len(self)]

    @property
    def costs(self) -> Floats:
        """Shape (n, objectives): minimized; NaN where a trial has none."""
        return self._buffer.costs[: len(self)]

    @property
    def constraints(self) -> Floats:
        """Shape (n, constraints): measured values; NaN where missing."""
        return self._buffer.constraints[: len(self)]

    @property
    def fidelity(self) -> Floats:
        """Shape (n,): NaN without fidelity."""
        return self._buffer.fidelity[: len(self)]

    @property
    def started(self) -> Floats:
        """Shape (n,): seconds since the epoch; NaN where unknown."""
        return self._buffer.started[: len(self)]

    @property
    def ended(self) -> Floats:
        """Shape (n,): seconds since the epoch; NaN where unknown."""
        return self._buffer.ended[: len(self)]

    @property
    def status(self) -> list[Status]:
        """How each trial ended."""
        return [STATUSES[code] for code in self._buffer.status[: len(self)]]

    @property
    def succeeded(self) -> Bools:
        """Shape (n,): whether the costs of each trial can be used."""
        return self._buffer.status[: len(self)] == _CODE[Status.SUCCESS]

    @property
    def feasible(self) -> Bools:
        """Shape (n,): whether each trial meets all constraints (failed trials do not)."""
        met = self.succeeded
        for column, constraint in enumerate(self.problem.constraints):
            values = self.constraints[:, column]
            met = met & np.array([constraint.is_met(value) for value in values], dtype=bool)
        return met

    @property
    def comparable(self) -> Bools:
        """Shape (n,): whether each trial was measured in the same way as the first success.

        All were, unless the problem names what Octavo measures (`octavo.measured`) and trials of
        several methods came together, as by importing. Those of another method are
        kept, and never become the incumbent or part of the front.
        """
        if not measured_names(self.problem):
            return np.ones(len(self), dtype=bool)
        new = self[len(self._alike) :]
        if new:
            self._methods = self._methods or methods_of(self.problem, new)
            alike = [not trial.succeeded or is_comparable(trial, self._methods) for trial in new]
            if not all(alike):
                warnings.warn(
                    f"{alike.count(False)} of {len(new)} trials are left out of comparisons, "
                    "because they were measured in another way than the first: "
                    f"{self._methods}. Look at trial.resources.how, and measure all alike.",
                    stacklevel=2,
                )
            self._alike = np.concatenate([self._alike, alike])
        return self._alike

    @property
    def points(self) -> Points:
        """The configurations as an encoded matrix, one row per trial."""
        done = 0 if self._points is None else len(self._points)
        if self._points is None or done < len(self):
            new = self.problem.space.encode([trial.config for trial in self[done:]])
            self._points = new if self._points is None else Points.join([self._points, new])
        return self._points

    # What is best --------------------------------------------------------------------

    @property
    def incumbent(self) -> Trial | None:
        """The best trial by the first objective, or None before any can be trusted.

        Only feasible trials at the highest fidelity so far count. With `problem.repeats`
        above one, a configuration counts by its mean over seeds, and only if no other one
        has been evaluated with more seeds (up to `repeats`): a lucky winner must survive
        its re-evaluation first. With instances, the champion of `octavo.standings`: no
        configuration that was run on as much did better there on average.
        """
        best = self._best()
        return None if best is None else self[best[0]]

    @property
    def incumbent_cost(self) -> float:
        """The incumbent's mean first cost over its seeds and instances; NaN without one.

        Over instances, runs that failed count as much as their race says, such as ten times
        the cutoff.
        """
        best = self._best()
        return float("nan") if best is None else best[1]

    def _eligible(self) -> NDArray[np.int64]:
        rows = np.flatnonzero(self.feasible & self.comparable)
        if self.problem.fidelity is not None and len(rows):
            fidelity = np.nan_to_num(self.fidelity[rows], nan=self.problem.fidelity.high)
            rows = rows[fidelity == fidelity.max()]
        return rows

    def _best(self) -> tuple[int, float] | None:
        if self.problem.instances:
            return self._best_over_instances()
        rows = self._eligible()
        if not len(rows):
            return None
        costs = self.costs[rows, 0]
        if self.problem.repeats == 1:
            at = int(np.argmin(costs))
            return int(rows[at]), float(costs[at])
        keys = self.points[rows].keys()
        groups: dict[bytes, list[int]] = {}
        for place, key in enumerate(keys):
            groups.setdefault(key, []).append(place)
        needed = min(self.problem.repeats, max(len(places) for places in groups.values()))
        proven = [places for places in groups.values() if len(places) >= needed]
        winner = min(proven, key=lambda places: float(costs[places].mean()))
        return int(rows[winner[0]]), float(costs[winner].mean())

    def _best_over_instances(self) -> tuple[int, float] | None:
        raced = self._standings
        champion = None if raced.champion is None else raced.runs[raced.champion]
        if champion is None or champion.first_success is None:
            return None
        return champion.first_success, champion.mean(champion.costs)

    @property
    def _standings(self) -> Standings:
        """The configurations by their runs over instances, kept up as trials come in."""
        done, raced = self._raced
        if done < len(self):
            keys = self.points[np.arange(done, len(self))].keys()
            for row, key in enumerate(keys, start=done):
                trial = self[row]
                result = outcome(self.problem, trial)
                if result is not None:
                    raced.add(row, key, pair_of(self.problem, trial.proposal), result)
            self._raced = (len(self), raced)
        return raced

    def standings(self) -> list[Standing]:
        """All configurations of a problem with instances, compared fairly.

        Returns
        -------
        list of Standing
            The incumbent first, then the others that were run on everything that it was run on,
            by mean cost; then the rest, those with the most runs first.

        Raises
        ------
        ProblemError
            If the problem has no instances.
        """
        if not self.problem.instances:
            raise ProblemError(
                "standings() compares configurations over instances, but this problem has none. "
                "Look at history.incumbent and history.costs, or give minimize instances=[...]."
            )
        raced, value = self._standings, self.problem.objectives[0].value
        rows = []
        for key, runs in raced.runs.items():
            shared = raced.shared(key)
            cost = runs.mean(shared) if shared else math.nan
            other = math.nan
            if shared and raced.champion is not None:
                other = raced.runs[raced.champion].mean(shared)
            complete = raced.is_complete(key)
            order = (key != raced.champion, not complete, cost if complete else -len(runs.costs))
            standing = Standing(
                trial=self[runs.first if runs.first_success is None else runs.first_success],
                n_runs=len(runs.costs),
                n_failed=runs.n_failed,
                cost=value(cost),
                incumbent_cost=value(other),
                is_complete=complete,
            )
            rows.append((order, runs.first, standing))
        return [standing for _, _, standing in sorted(rows, key=lambda row: row[:2])]

    @property
    def pareto_front(self) -> list[Trial]:
        """The feasible trials at the highest fidelity that no other one dominates.

        With instances: the first run of each configuration that was run on everything that the
        incumbent was run on and whose mean costs there no other one dominates.
        """
        if self.problem.instances:
            return self._front_over_instances()
        rows = self._eligible()
        return [self[int(row)] for row in rows[nondominated(self.costs[rows])]]

    def _front_over_instances(self) -> list[Trial]:
        raced = self._standings
        if raced.champion is None:
            return []
        pairs = list(raced.runs[raced.champion].costs)
        complete = [runs for key, runs in raced.runs.items() if raced.is_complete(key)]
        complete = [runs for runs in complete if math.isfinite(runs.mean(pairs))]
        if not complete:
            return []
        means = np.empty((len(complete), self.problem.n_objectives))
        for place, runs in enumerate(complete):
            # The first objective has its penalties; of the others, what was measured counts.
            costs = np.array([np.mean(self.costs[runs.rows[pair]], axis=0) for pair in pairs])
            for column in range(self.problem.n_objectives):
                measured = costs[np.isfinite(costs[:, column]), column]
                means[place, column] = measured.mean() if len(measured) else np.inf
            means[place, 0] = runs.mean(pairs)
        means = np.where(np.isfinite(means), means, np.finfo(float).max)
        return [self[complete[place].first] for place in np.flatnonzero(nondominated(means))]

    def hypervolume(self, reference: Mapping[str, float] | None = None) -> Floats:
        """How good the Pareto front was after each trial: the volume that it dominates.

        Parameters
        ----------
        reference
            A value for each objective, by name and in the user's direction: trials count as
            far as they are better than all of them. To compare histories, give them the
            same. By default the worst value that a feasible trial of this history has in
            each objective, and a tenth of its range beyond, so that the ends of the front
            count too; an objective in which all are equal counts as 1.

        Returns
        -------
        shape (n,)
            In the product of the objectives' units; it never falls. Only feasible trials at
            the highest fidelity so far count.

        Raises
        ------
        ProblemError
            If the reference lacks an objective, names another, or is not finite; if the problem
            has instances, over which single trials do not compare.
        """
        if self.problem.instances:
            raise ProblemError(
                f"this problem has {len(self.problem.instances)} instances, and the costs of "
                "single trials on different ones do not compare, so the front has no volume over "
                "time. Look at history.pareto_front, which compares means."
            )
        rows = self._eligible()
        costs = self.costs[rows]
        gains = np.zeros(len(self))
        if reference is not None:
            point = self._reference_costs(reference)
        elif len(rows):
            worst, width = costs.max(axis=0), np.ptp(costs, axis=0)
            point = worst + np.where(width > 0, 0.1 * width, 1.0)
        else:
            return gains
        gains[rows] = hypervolume_gains(costs, point)
        return np.cumsum(gains)

    def _reference_costs(self, reference: Mapping[str, float]) -> Floats:
        objectives = self.problem.objectives
        names = [objective.name for objective in objectives]
        if not isinstance(reference, Mapping) or set(reference) != set(names):
            raise ProblemError(
                f"reference={reference!r} must have a value for each of the objectives "
                f"{names}, and for nothing else: a dict such as {dict.fromkeys(names, 1.0)!r}."
            )
        values = [reference[name] for name in names]
        if not all(isinstance(value, Real) and math.isfinite(value) for value in values):
            raise ProblemError(
                f"reference={dict(reference)!r} must be finite numbers, worse than what interests "
                "you. Mend it, or leave it out for the worst that was seen."
            )
        return np.array([o.cost(float(value)) for o, value in zip(objectives, values, strict=True)])

    def trajectory(self) -> list[Improvement]:
        """Each trial that became the incumbent by the first objective (repeats not averaged).

        With instances: each change of the incumbent, at the trial that decided it, with its
        mean cost then. That may rise: an incumbent that was run on harder instances is surer,
        not worse.
        """
        began = np.nanmin(self.started) if np.isfinite(self.started).any() else float("nan")
        steps: list[Improvement] = []
        if self.problem.instances:
            raced = self._standings
            return [
                Improvement(
                    n_trials=step.row + 1,
                    elapsed_s=float(self.ended[step.row] - began),
                    index=int(self.indices[raced.runs[step.key].first]),
                    cost=step.mean,
                )
                for step in raced.path
            ]
        eligible = np.zeros(len(self), dtype=bool)
        eligible[self._eligible()] = True
        best = np.inf
        for row in np.flatnonzero(eligible):
            cost = float(self.costs[row, 0])
            if cost < best:
                best = cost
                steps.append(
                    Improvement(
                        n_trials=int(row) + 1,
                        elapsed_s=float(self.ended[row] - began),
                        index=int(self.indices[row]),
                        cost=cost,
                    )
                )
        return steps

    # For people ----------------------------------------------------------------------

    def to_frame(self) -> pd.DataFrame:
        """One row per trial: index, status, objectives in the user's direction, constraints,
        configuration (columns `config.*`), seed, fidelity, times, resources and cause.
        """
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for trial in self:
            row: dict[str, Any] = {"index": trial.index, "status": trial.status.value}
            for objective, cost in zip(self.problem.objectives, trial.costs, strict=True):
                row[objective.name] = objective.value(cost)
            for constraint, value in zip(self.problem.constraints, trial.constraints, strict=False):
                row[constraint.name] = value
            row |= {f"config.{name}": value for name, value in trial.config.items()}
            row |= {
                "seed": trial.proposal.seed,
                "fidelity": trial.proposal.fidelity,
                "instance": trial.proposal.instance,
                "origin": trial.proposal.origin.by,
                "resume_from": trial.proposal.resume_from,
                "cutoff_s": trial.proposal.cutoff_s,
                "started": trial.started,
                "ended": trial.ended,
                "wall_s": trial.resources.wall_s,
                "cpu_s": trial.resources.cpu_s,
                "memory_mb": trial.resources.memory_mb,
                "energy_kwh": trial.resources.energy_kwh,
                "co2_kg": trial.resources.co2_kg,
                "cause": trial.cause,
            }
            rows.append(row)
        return pd.DataFrame(rows)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value

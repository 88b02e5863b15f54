"""Choosing an ensemble that keeps the bounds on the final model.

Resources (time per row, size, training time) add up over members, so the greedy selection
simply never takes a member that the budget cannot pay. A fairness gap is a matter of weights and
of decisions: ensembles are selected with growing penalties on the differences between groups'
mean probabilities, decisions with thresholds are tried on each, and the one that keeps the bounds
and is right most often wins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.ensemble.budgets import select_within
from octavo.ensemble.fair_decisions import FairThresholds, fair_thresholds
from octavo.ensemble.fairness import (
    GAPS,
    Groups,
    fairness_gap,
    group_tables,
    table_gap,
)
from octavo.ensemble.selection import Selection
from octavo.tabular.artefact import member_needs
from octavo.tabular.collect import Candidate
from octavo.tabular.prepare import Prepared
from octavo.tabular.sensitive import Sensitive, joined_labels
from octavo.tabular.settings import SearchSettings

__all__ = ["aims", "decision_groups", "fair_decisions", "judged_groups", "select_within_bounds"]

Floats = NDArray[np.float64]

PENALTIES = (0.0, 0.3, 1.0, 3.0)  # times the cost of the best single pipeline
SELECTION_ROWS = 5_000  # more hardly change weights, and each penalty selects anew
BEST, CHEAPEST = 20, 5
"""So many of the best pipelines are considered, and so many of the cheapest by each resource."""


def select_within_bounds(
    prepared: Prepared,
    candidates: Sequence[Candidate],
    selection: Selection,
    settings: SearchSettings,
    *,
    tighter: float = 1.0,
    seed: int = 0,
) -> Selection:
    """The selection anew, if there are bounds; else as it is.

    Parameters
    ----------
    prepared, candidates, selection, settings
        Of the search.
    tighter
        Factor on the bound of the time per row, where a measurement has shown that the model is
        slower than its members were.
    seed
        Of the sample of rows.
    """
    bounds = settings.bounds
    if not bounds:
        return selection
    valid = prepared.resampling.validated
    rows = np.arange(len(valid))
    if len(rows) > SELECTION_ROWS:
        rows = np.random.default_rng([seed, 47]).choice(rows, SELECTION_ROWS, replace=False)
    usable = [at for at, one in enumerate(candidates) if np.isfinite(one.oof[rows]).all()]
    if not usable:
        return selection
    kept = [candidates[at] for at in usable]
    needs = member_needs([one.trial for one in kept], prepared.resampling)
    budgets = {bound.word: bound.high for bound in bounds if bound.kind == "resource"}
    if "inference_time" in budgets:
        budgets["inference_time"] *= tighter
    chosen = [at for at in range(len(kept)) if _fits_alone(needs, budgets, at)]
    if not chosen:  # what exceeds the bounds least is still a model
        chosen = list(range(len(kept)))
    first = set(chosen[:BEST])
    for name in budgets:
        order = np.argsort(needs[name][chosen], kind="stable")[:CHEAPEST]
        first |= {chosen[at] for at in order}
    chosen = sorted(first)
    # Peak memory does not add up: pipelines are fitted one after the other.
    budgets.pop("memory", None)
    stack = np.stack([kept[at].oof[rows].astype(np.float64) for at in chosen])
    problem = _Choice(prepared, stack, valid[rows])
    gaps = {bound.word: bound.high for bound in bounds if bound.kind == "gap"}
    amounts = {name: np.minimum(needs[name][chosen], 1e300) for name in budgets}
    found = problem.best(amounts, budgets, gaps, by_group=settings.sensitive_at_predict, seed=seed)
    weights = np.zeros(len(candidates))
    weights[[usable[at] for at in chosen]] = found.weights
    return Selection(weights, found.score, found.path, found.guide, found.n_rows)


def _fits_alone(needs: dict[str, Floats], budgets: dict[str, float], at: int) -> bool:
    return all(needs[name][at] <= budget for name, budget in budgets.items())


def judged_groups(sensitive: Sequence[Sensitive], rows: NDArray[np.int64]) -> list[Groups]:
    """The groups of some rows, for each sensitive column."""
    return [Groups.of(one.labels(rows)) for one in sensitive]


def decision_groups(sensitive: Sequence[Sensitive], rows: NDArray[np.int64]) -> Groups:
    """The groups that may have a threshold each: combinations of all sensitive columns."""
    return Groups.of(joined_labels([one.labels(rows) for one in sensitive]))


def fair_decisions(
    prepared: Prepared,
    probabilities: Floats,
    rows: NDArray[np.int64],
    gaps: dict[str, float],
    *,
    by_group: bool,
    seed: int = 0,
) -> FairThresholds:
    """Thresholds that keep all gaps within their bounds on validated rows (two classes).

    Parameters
    ----------
    prepared
        With its target and weights.
    probabilities : shape (n, 2)
        Out-of-fold.
    rows : shape (n,)
        Rows of the training table that they are for.
    gaps
        Bounds by name.
    by_group
        Whether each group may have its own threshold.
    seed
        Of the margin's bootstrap.
    """
    y = prepared.y[rows]
    weights = None if prepared.weights is None else prepared.weights[rows]
    groups = decision_groups(prepared.sensitive, rows)
    balanced = prepared.metric.name == "balanced_accuracy"
    how: dict[str, Any] = {"by_group": by_group, "balanced": balanced, "sample_weight": weights}
    found = fair_thresholds(
        probabilities, y, groups, aims(y, probabilities, groups, gaps, weights, seed), **how
    )
    if not found.is_met:  # without the margin, perhaps
        found = fair_thresholds(probabilities, y, groups, gaps, **how)
    return found


def aims(
    y: NDArray[np.int64],
    probabilities: Floats,
    groups: Groups,
    gaps: dict[str, float],
    weights: Floats | None,
    seed: int,
) -> dict[str, float]:
    """Bounds with a margin of half a standard error, at most half the bound.

    Thresholds are chosen on the rows that they are judged on, so the gap on others is larger.
    """
    labels = probabilities.argmax(axis=1)
    rng = np.random.default_rng([seed, 53])
    aimed = {}
    for name, bound in gaps.items():
        draws = []
        for _ in range(50):
            rows = rng.integers(len(y), size=len(y))
            part = None if weights is None else weights[rows]
            tables = group_tables(y[rows], labels[rows], groups.take(rows), 2, part)
            draws.append(float(table_gap(tables, name)))
        spread = float(np.nanstd(draws))
        aimed[name] = max(bound - 0.5 * (spread if np.isfinite(spread) else 0.0), 0.5 * bound)
    return aimed


@dataclass(frozen=True)
class _Choice:
    """Out-of-fold predictions to choose from, on some validated rows."""

    prepared: Prepared
    stack: Floats
    rows: NDArray[np.int64]

    def best(
        self,
        amounts: dict[str, Floats],
        budgets: dict[str, float],
        gaps: dict[str, float],
        *,
        by_group: bool,
        seed: int,
    ) -> Selection:
        prepared, y = self.prepared, self.prepared.y[self.rows]
        weights = None if prepared.weights is None else prepared.weights[self.rows]
        classes = prepared.target.labels if prepared.target.is_classification else None

        def selected(penalty: Any) -> Selection:
            return select_within(
                self.stack,
                y,
                prepared.metric,
                amounts=amounts,
                budgets=budgets,
                sample_weight=weights,
                classes=classes,
                penalty=penalty,
            )

        if not gaps:
            return selected(None)
        ranked: list[tuple[tuple[bool, float, float], Selection]] = []
        # Thresholds by group reach any gap by themselves; weights need not pay for it.
        for strength in PENALTIES[:1] if by_group else PENALTIES:
            penalty = self._penalty(gaps, strength) if strength else None
            selection = selected(penalty)
            mixture = selection.combine(list(self.stack))
            excess, right = self._judged(mixture, gaps, by_group=by_group, seed=seed)
            ranked.append(((excess > 1e-9, excess if excess > 1e-9 else 0.0, -right), selection))
        return min(ranked, key=lambda one: one[0])[1]

    def _judged(
        self, mixture: Floats, gaps: dict[str, float], *, by_group: bool, seed: int
    ) -> tuple[float, float]:
        """By how much the bounds are exceeded, and the share of right decisions."""
        y = self.prepared.y[self.rows]
        if mixture.shape[1] == 2:
            mixture = mixture / mixture.sum(axis=1, keepdims=True)
            found = fair_decisions(
                self.prepared, mixture, self.rows, gaps, by_group=by_group, seed=seed
            )
            excess = max(found.gaps[name] - bound for name, bound in gaps.items())
            return (excess if not found.is_met else 0.0), found.accuracy
        labels = mixture.argmax(axis=1)
        each = [
            fairness_gap(name, y, labels, groups, n_classes=mixture.shape[1]) - bound
            for groups in judged_groups(self.prepared.sensitive, self.rows)
            for name, bound in gaps.items()
        ]
        return max(each), float((labels == y).mean())

    def _penalty(
        self, gaps: dict[str, float], strength: float
    ) -> tuple[Floats, Callable[[Floats], Floats]]:
        """Mean probabilities by group, and what their differences cost."""
        y = self.prepared.y[self.rows]
        n_classes = self.stack.shape[2]
        classes = [1] if n_classes == 2 else list(range(n_classes))
        rates = {rate for name in gaps for rate in GAPS[name]}
        cuts: list[Floats] = []
        blocks: list[slice] = []
        for groups in judged_groups(self.prepared.sensitive, self.rows):
            members = [np.flatnonzero(groups.codes == g) for g in range(len(groups.names))]
            for k in classes:
                for rate in sorted(rates):
                    among = {"selection": y >= 0, "true positive": y == k}.get(rate, y != k)
                    means = [
                        self.stack[:, rows[among[rows]], k].mean(axis=1)
                        for rows in members
                        if among[rows].any()
                    ]
                    if len(means) >= 2:
                        blocks.append(slice(len(cuts), len(cuts) + len(means)))
                        cuts += means
        scale = strength * self._scale()

        def added(mixed: Floats) -> Floats:
            total = np.zeros(len(mixed))
            for block in blocks:
                total += np.ptp(mixed[:, block], axis=1)
            return scale * total

        return np.array(cuts).T.reshape(len(self.stack), len(cuts)), added

    def _scale(self) -> float:
        """The size of costs here, so that penalties mean the same for every metric."""
        metric, prepared = self.prepared.metric, self.prepared
        classes = prepared.target.labels
        score = metric.score(prepared.y[self.rows], self.stack[0], classes=classes)
        return max(abs(score), 0.1)

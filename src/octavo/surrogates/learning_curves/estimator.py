"""Where is this learning curve going? `LearningCurves` says, and how sure it is.

Parametric families are fitted to what is known of a curve; they, the last value and, once
complete curves of other configurations were seen, what similar curves did, are experts in a
mixture (`experts.py`). Domhan, Springenberg & Hutter (2015), Speeding up automatic
hyperparameter optimization of deep neural networks by extrapolation of learning curves, IJCAI.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from octavo.errors import SettingError
from octavo.surrogates.learning_curves.experts import fit_gate
from octavo.surrogates.learning_curves.mixture import Prediction
from octavo.surrogates.learning_curves.neighbors import Neighbors
from octavo.surrogates.learning_curves.panel import Panel, untrained_gate
from octavo.surrogates.learning_curves.reading import Curve, Scale, as_costs, as_curve

__all__ = ["LearningCurves"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CUTS_PER_CURVE = 3
_CUTS = (0.08, 0.15, 0.25, 0.4, 0.6, 0.8)  # shares of a training curve that are shown
_MOST_CURVES = 400
_LEAST_CURVES = 5  # with fewer complete curves there is nothing to learn coefficients from


class LearningCurves:
    """Predicts how learning curves go on, with uncertainty.

    It works on a single curve; complete curves of other configurations, given to `fit`, teach
    it which families to trust on this problem, how wide its predictions have to be, and what
    curves that begin in the same way come to.

    Parameters
    ----------
    maximize
        Whether larger values are better, as for accuracies.
    seed
        Draws which training curves are cut where.

    Examples
    --------
    >>> steps = np.arange(1, 21)
    >>> loss = 0.3 + 0.5 * steps**-0.7
    >>> end = LearningCurves().predict(steps, loss, at=100)
    >>> bool(abs(end.median - 0.32) < 0.03), bool(end.below(0.15) < 0.1)
    (True, True)
    """

    def __init__(self, *, maximize: bool = False, seed: int = 0) -> None:
        self.maximize = maximize
        self.seed = seed
        self._scale: Scale | None = None
        self._neighbors: Neighbors | None = None
        self._gate = untrained_gate()

    def fit(self, curves: Iterable[tuple[ArrayLike, ArrayLike]]) -> Self:
        """Learn from complete curves of other configurations.

        Parameters
        ----------
        curves
            Steps and values of each, steps increasing. NaN or an infinity says that the run had
            diverged by then. Curves that were ended early teach as far as they go.

        Raises
        ------
        SettingError
            If steps and values do not go together, or steps do not increase.
        """
        rng = np.random.default_rng(self.seed)
        read = [as_curve(steps, values, self.maximize) for steps, values in curves]
        read = [curve for curve in read if np.isfinite(curve[1]).any()]
        self._scale, self._neighbors, self._gate = None, None, untrained_gate()
        if len(read) < _LEAST_CURVES:
            return self
        if len(read) > _MOST_CURVES:
            read = [read[i] for i in np.sort(rng.choice(len(read), _MOST_CURVES, replace=False))]
        self._scale = scale = Scale.of(read)
        known = [as_costs(curve, scale) for curve in read]
        self._neighbors = Neighbors(known)
        shown, own, targets, values = _cut(known, rng)
        if len(shown):
            panel = Panel(shown, [scale] * len(shown), self._neighbors)
            cases = panel.cases(np.arange(len(shown)), targets, own)
            # Cases that stem from one curve are far from independent, but not the same either.
            sharing = 1 / np.sqrt(np.bincount(own)[own])
            self._gate = fit_gate(self._gate, cases, scale.units(values), sharing)
        return self

    def predict(self, steps: ArrayLike, values: ArrayLike, at: ArrayLike) -> Prediction:
        """What a curve will come to.

        Parameters
        ----------
        steps, values : shape (n,)
            What is known of it, n >= 1. NaN or an infinity: diverged.
        at
            The step in question, or an array of steps. One that lies before the last known one
            is taken for that.

        Returns
        -------
        Prediction
            Of the shape of `at`.

        Raises
        ------
        SettingError
            If steps and values do not go together, or all values are NaN.
        """
        where = np.asarray(at, dtype=float)
        rows = np.zeros(where.size, dtype=np.int64)
        flat = self._predict([(steps, values)], rows, where.ravel())
        parts = (flat.weights, flat.means, flat.deviations)
        return Prediction(*(part.reshape(*where.shape, -1) for part in parts))

    def predict_many(
        self, curves: Sequence[tuple[ArrayLike, ArrayLike]], at: ArrayLike
    ) -> Prediction:
        """What each of many curves will come to.

        Parameters
        ----------
        curves
            Steps and values of each, as far as known; at least one curve.
        at : shape () or (m,)
            The step in question, one for all or one for each.

        Returns
        -------
        Prediction
            Of shape (m,).

        Raises
        ------
        SettingError
            As `predict` does.
        """
        where = np.broadcast_to(np.asarray(at, dtype=float), (len(curves),))
        return self._predict(curves, np.arange(len(curves)), where)

    def _predict(
        self, curves: Sequence[tuple[ArrayLike, ArrayLike]], rows: Ints, at: Floats
    ) -> Prediction:
        read = [as_curve(steps, values, self.maximize) for steps, values in curves]
        if self._scale is None:
            for steps, costs in read:
                if not np.isfinite(costs).any():
                    raise SettingError(
                        f"the curve of steps {steps.tolist()} has no finite value, so nothing can "
                        "be said of it. Fit complete curves of other configurations first."
                    )
        scales = [Scale.of_one(c) if self._scale is None else self._scale.reaching(c) for c in read]
        known = [as_costs(curve, scale) for curve, scale in zip(read, scales, strict=True)]
        panel = Panel(known, scales, self._neighbors)
        cases = panel.cases(rows, at, np.full(len(rows), -1))
        log_weight, width = self._gate(cases)
        zero = np.array([scale.zero for scale in scales])[rows, None]
        unit = np.array([scale.unit for scale in scales])[rows, None]
        means = zero + unit * cases.mean
        return Prediction(np.exp(log_weight), -means if self.maximize else means, unit * width)


def _cut(
    curves: Sequence[Curve], rng: np.random.Generator
) -> tuple[list[Curve], Ints, Floats, Floats]:
    """Beginnings of curves, of which curve each is, and what it came to at a later step."""
    shown, own, targets, values = [], [], [], []
    for number, (steps, costs) in enumerate(curves):
        for share in rng.choice(_CUTS, _CUTS_PER_CURVE, replace=False):
            length = max(round(share * len(steps)), 1)
            if length >= len(steps):
                continue
            # Mostly the end, which is what one wants to know; else any later step.
            target = len(steps) - 1 if rng.random() < 0.7 else int(rng.integers(length, len(steps)))
            shown.append((steps[:length], costs[:length]))
            own.append(number)
            targets.append(steps[target])
            values.append(costs[target])
    return shown, np.array(own, dtype=np.int64), np.array(targets), np.array(values)

"""Why a model says what it says: contributions of columns to predictions, and their effects.

Contributions are Shapley values on the scale of the predictions: probabilities, or the target's
own unit. Those of members made of trees are exact (TreeSHAP); of the others they are sampled. A
column that became several (one-hot, parts of a date, words) gets the sum of theirs; what was made
of several columns is shared among them in equal parts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octavo.ensemble.shapley import SampledShapley, sampled_shapley
from octavo.errors import DataError, SettingError, closest
from octavo.numerics.through_links import rescaled, softmaxed
from octavo.tabular.effects import place_of
from octavo.tabular.pipeline import Pipeline

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from octavo.ensemble.calibration import Calibration
    from octavo.tabular.model import Member, TabularModel
    from octavo.tabular.stacked import Scores

__all__ = ["Explanation", "Method", "explain", "fold_models"]

Floats = NDArray[np.float64]
Method = Literal["auto", "trees", "sampling"]

MOST_ROWS = 200
CHUNK_ROWS = 25
BACKGROUND_ROWS = 200
ROUNDS = 16


@dataclass(frozen=True, eq=False)
class Explanation:
    """What each column contributes to the predictions of some rows.

    Parameters
    ----------
    values : shape (n, p), or (n, p, classes)
        Contributions: above 0 where the column raises the prediction. With `base` they add up
        to it.
    base : float, or shape (classes,)
        The prediction of no row in particular.
    error : as `values`
        Standard errors of what was sampled; 0 for what is exact.
    columns
        Names of the p columns.
    rows : shape (n, p)
        The explained rows, in the form that the model reads.
    positions : shape (n,)
        Which rows of the given table they are.
    classes
        Labels of the classes; empty for numbers.
    target
        Name of what is predicted.
    exact
        Share of the ensemble's weight whose values are not sampled.
    notes
        What to know about it, in sentences.
    truths
        The words for 0 and 1 of columns that are true or false, by name.
    """

    values: Floats
    base: Floats
    error: Floats
    columns: tuple[str, ...]
    rows: pd.DataFrame
    positions: NDArray[np.int64]
    classes: tuple[Any, ...] = ()
    target: str = "target"
    exact: float = 1.0
    notes: tuple[str, ...] = ()
    truths: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def words(self, column: int) -> list[str]:
        """The cells of a column for people."""
        from octavo.report.effect_figures import value_words

        values = self.rows.iloc[:, column]
        said = self.truths.get(self.columns[column])
        if said is None:
            return value_words(values)
        return ["missing" if pd.isna(value) else said[int(value)] for value in values]

    @property
    def predictions(self) -> Floats:
        """Shape (n,) or (n, classes): the predictions that are explained."""
        return np.asarray(self.base + self.values.sum(axis=1))

    def of_class(self, label: Any = None) -> Explanation:
        """The same for one class, with `values` of shape (n, p); of numbers it is the same.

        Parameters
        ----------
        label
            One of the classes; None for the second of two classes, or for the first of more.

        Raises
        ------
        SettingError
            If there is no such class.
        """
        at = place_of(label, self.classes, self.target)
        if self.values.ndim == 2:
            return self
        return replace(
            self,
            values=self.values[:, :, at],
            base=np.asarray(self.base[at]),
            error=self.error[:, :, at],
            classes=(self.classes[at],),
        )

    def importance(self) -> pd.Series:
        """Mean size of each column's contributions (over classes too), largest first."""
        size = np.abs(self.values)
        mean = size.mean(axis=(0, 2)) if size.ndim == 3 else size.mean(axis=0)
        found = pd.Series(mean, index=list(self.columns), name="contribution")
        return found.sort_values(ascending=False, kind="stable")

    def of_row(self, row: int, label: Any = None) -> pd.DataFrame:
        """One row's columns, the largest contribution first: value, contribution, error.

        Parameters
        ----------
        row
            Number of the explained row, from 0.
        label
            As for `of_class`.
        """
        n = len(self.values)
        if not -n <= row < n:
            raise SettingError(f"row={row!r} is not among the {n} explained rows. Count from 0.")
        one = self.of_class(label)
        table = pd.DataFrame(
            {
                "value": [self._cell(row, at) for at in range(len(self.columns))],
                "contribution": one.values[row],
                "error": one.error[row],
            },
            index=list(self.columns),
        )
        order = np.argsort(-np.abs(one.values[row]), kind="stable")
        return table.iloc[order]

    def _cell(self, row: int, column: int) -> Any:
        value: Any = self.rows.iloc[row, column]
        said = self.truths.get(self.columns[column])
        return value if said is None or pd.isna(value) else said[int(value)]

    def plot(self, kind: Literal["beeswarm", "bar"] = "beeswarm", label: Any = None) -> go.Figure:
        """All rows, as a plotly figure: a dot for each, or the mean size of contributions.

        Parameters
        ----------
        kind
            "beeswarm" or "bar".
        label
            As for `of_class`.
        """
        from octavo.report import plots

        if kind not in ("beeswarm", "bar"):
            raise SettingError(f"kind={kind!r} is no picture of these. Use 'beeswarm' or 'bar'.")
        one = self.of_class(label)
        if kind == "bar":
            mean = np.abs(one.values).mean(axis=0)
            return plots.bars(self.columns, mean, f"mean contribution to {_said(one)}")
        words = [self.words(at) for at in range(len(self.columns))]
        title = f"contribution to {_said(one)}"
        return plots.beeswarm(self.columns, one.values, self.rows, words, title)

    def plot_row(self, row: int, label: Any = None) -> go.Figure:
        """One row, as a plotly figure: from the base to its prediction, column by column."""
        from octavo.report import plots

        table = self.of_row(row, label)
        one = self.of_class(label)
        return plots.waterfall(
            table.index.tolist(),
            table["value"].tolist(),
            table["contribution"].to_numpy(),
            float(one.base),
            _said(one),
        )


def _said(one: Explanation) -> str:
    return f"the probability of {one.classes[0]}" if one.classes else one.target


def explain(
    model: TabularModel,
    given: pd.DataFrame,
    usual: pd.DataFrame | None = None,
    *,
    method: Method = "auto",
    rounds: int = ROUNDS,
    max_rows: int | None = MOST_ROWS,
    time_limit_s: float | None = None,
    seed: int = 0,
) -> Explanation:
    """Contributions of the columns to a model's predictions.

    Parameters
    ----------
    model
        An ensemble, or a part of one.
    given, usual
        Canonical rows to explain, and those that stand for the usual ones where values are
        sampled; None takes the same.
    method, rounds, max_rows, seed
        As for `TabularModel.explain`.
    time_limit_s
        Rows are explained in a random order while time allows, some at least.
    """
    _check(method, rounds, max_rows)
    if not len(given):
        raise DataError("the table has no rows to explain. Pass at least one.")
    trees, others = _sorted(model, method)
    if others and method != "trees" and usual is None and len(given) == 1:
        raise SettingError(
            "background=None takes the explained rows themselves, but there is one only, and "
            f"{_names(others)} must be sampled. Give background=..., rows of the training table."
        )
    rng = np.random.default_rng([seed, 0xE7])
    positions = np.arange(len(given))
    if time_limit_s is not None or (max_rows is not None and len(given) > max_rows):
        positions = rng.permutation(len(given))[:max_rows]
    usual = given if usual is None else usual
    if len(usual) > BACKGROUND_ROWS:
        usual = usual.iloc[rng.permutation(len(usual))[:BACKGROUND_ROWS]]
    notes: list[str] = []
    whole = 1.0
    if method == "trees" and others:
        whole = sum(share for share, _, _ in trees)
        notes.append(
            f"Left out, as they are not made of trees: {_names(others)}. The values explain what "
            f"the other {whole:.0%} of the ensemble's weight says."
        )
        others = []

    def part(rows: pd.DataFrame) -> SampledShapley:
        return _of_rows(model, rows, usual, trees, others, whole, rounds, seed)

    found, n_done = _in_time(part, given, positions, time_limit_s)
    if n_done < len(positions):
        notes.append(f"Time sufficed for {n_done} of {len(positions)} rows.")
    exact = float(sum(share for share, _, _ in trees) / whole)
    if others:
        notes.append(
            f"{exact:.0%} of the ensemble's weight is made of trees, whose values are exact; the "
            f"others' ({_names(others)}) are sampled in {rounds} rounds, with the errors given."
        )
    positions = positions[:n_done]
    order = np.argsort(positions, kind="stable")
    classes = model.target.classes or ()
    at: Any = (order,) if classes else (order, slice(None), 0)
    return Explanation(
        values=found.values[at],
        base=found.base if classes else found.base[0],
        error=np.nan_to_num(found.error)[at],
        columns=tuple(map(str, given.columns)),
        rows=given.iloc[positions[order]],
        positions=positions[order],
        classes=classes,
        target=model.target.name,
        exact=exact,
        notes=tuple(notes),
        truths={
            feature.name: tuple(map(str, feature.categories or ("0", "1")))
            for feature in model.schema.of_kind("boolean")
        },
    )


def fold_models(model: TabularModel, fold: int) -> TabularModel:
    """The part of each member that one fold did not see: quicker, and honest on its rows."""
    return replace(
        model,
        members=tuple(
            replace(member, pipelines=(member.pipelines[min(fold, len(member.pipelines) - 1)],))
            for member in model.members
        ),
    )


# The parts ---------------------------------------------------------------------------------


def _check(method: str, rounds: int, max_rows: int | None) -> None:
    if method not in get_args(Method):
        raise SettingError(
            f"method={method!r} is no way to explain.{closest(str(method), get_args(Method))} Use "
            "'auto', 'trees' or 'sampling'."
        )
    if rounds < 1:
        raise SettingError(f"rounds={rounds!r} makes no sense. Pass a whole number >= 1.")
    if max_rows is not None and max_rows < 1:
        raise SettingError(f"max_rows={max_rows!r} leaves nothing. Pass 1 or more, or None.")


_Tree = tuple[float, "Member", Pipeline]
_Part = tuple[float, "Member", "Scores"]


def _sorted(model: TabularModel, method: Method) -> tuple[list[_Tree], list[_Part]]:
    """Fitted pipelines with their shares: those of trees, and the others."""
    trees: list[_Tree] = []
    others: list[_Part] = []
    for member in model.members:
        share = member.weight / len(member.pipelines)
        for pipeline in member.pipelines:
            # What stands on other models is none: its trees see what those predict.
            if method == "sampling" or not isinstance(pipeline, Pipeline):
                others.append((share, member, pipeline))
            elif pipeline.has_contributions:
                trees.append((share, member, pipeline))
            else:
                others.append((share, member, pipeline))
    if method == "trees" and not trees:
        raise SettingError(
            f"method='trees' finds no trees in this ensemble of {_names(others)}. Use "
            "method='auto', which samples what the others say."
        )
    return trees, others


def _names(parts: Sequence[_Part]) -> str:
    return ", ".join(dict.fromkeys(member.name for _, member, _ in parts))


def _of_rows(
    model: TabularModel,
    rows: pd.DataFrame,
    usual: pd.DataFrame,
    trees: Sequence[_Tree],
    others: Sequence[_Part],
    whole: float,
    rounds: int,
    seed: int,
) -> SampledShapley:
    """All members together, calibrated. Sampling uses the same rounds whatever the rows."""
    base: Any = 0.0
    values: Any = 0.0
    error: Any = 0.0
    for share, _, pipeline in trees:
        found = pipeline.contributions(rows)
        base = base + share / whole * found[0]
        values = values + share / whole * found[1]
    if others:

        def said(table: pd.DataFrame) -> Floats:
            return np.asarray(
                sum(share / whole * pipe.predict_scores(table) for share, _, pipe in others)
            )

        sampled = sampled_shapley(said, rows, usual, rounds=rounds, seed=seed)
        base, values, error = base + sampled.base, values + sampled.values, sampled.error
    error = np.broadcast_to(error, values.shape)
    if model.calibration is None or model.calibration.method == "none":
        return SampledShapley(base, values, error)
    return _calibrated(model.calibration, base, values, error)


def _calibrated(
    calibration: Calibration, base: Floats, values: Floats, error: Floats
) -> SampledShapley:
    if len(base) == 2:

        def one(chance: Floats) -> Floats:
            two = np.stack([1.0 - chance, chance], axis=-1)
            return calibration.apply(two.reshape(-1, 2))[:, 1].reshape(chance.shape)

        start, found = rescaled(one, base[1:], values[:, :, 1:])
        base = np.append(1.0 - start, start)
        calibrated = np.concatenate([-found, found], axis=2)
    else:
        base, calibrated = softmaxed(
            base,
            values,
            of_probabilities=True,
            temperature=calibration.temperature,
            bias=np.array(calibration.bias) if calibration.bias else 0.0,
        )
    # Errors grow as the values do.
    grown = np.abs(calibrated).sum(axis=(1, 2)) / np.maximum(
        np.abs(values).sum(axis=(1, 2)), 1e-300
    )
    return SampledShapley(base, calibrated, error * grown[:, np.newaxis, np.newaxis])


def _in_time(
    part: Callable[[pd.DataFrame], SampledShapley],
    given: pd.DataFrame,
    positions: NDArray[np.int64],
    limit_s: float | None,
) -> tuple[SampledShapley, int]:
    """Rows in chunks, of which the first is always done; the others while time allows."""
    began = time.monotonic()
    found: list[SampledShapley] = []
    done = 0
    for chunk in _chunks(positions, limit_s is not None):
        if found and limit_s is not None:
            spent = time.monotonic() - began
            if spent + spent / done * len(chunk) > limit_s:
                break
        found.append(part(given.iloc[chunk]))
        done += len(chunk)
    return (
        SampledShapley(
            found[0].base,
            np.concatenate([one.values for one in found]),
            np.concatenate([one.error for one in found]),
        ),
        done,
    )


def _chunks(positions: NDArray[np.int64], in_a_hurry: bool) -> Iterator[NDArray[np.int64]]:
    """With a limit, few rows first: they tell how long the others take."""
    sizes = [5, 10] if in_a_hurry else []
    first = 0
    while first < len(positions):
        size = sizes.pop(0) if sizes else CHUNK_ROWS if in_a_hurry else 500
        yield positions[first : first + size]
        first += size

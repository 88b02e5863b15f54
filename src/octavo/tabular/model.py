"""What a search leaves behind: an ensemble that predicts, and needs none of the search to do so.

Saved as a folder: `model.json` says what it is, with the versions of the libraries that it was
trained with; `members/*.pkl.gz` hold the fitted pipelines. They are pickles: load only folders
that come from someone you trust, because unpickling can run code.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import pickle
import platform
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from octavo.ensemble.calibration import Calibration
from octavo.ensemble.conformal import check_coverage
from octavo.ensemble.conformal_intervals import Intervals
from octavo.ensemble.conformal_sets import PredictionSets
from octavo.ensemble.thresholds import DecisionRule
from octavo.errors import SettingError, StorageError
from octavo.tabular.folders import write_folder
from octavo.tabular.schema import Schema
from octavo.tabular.sensitive import FairRule
from octavo.tabular.stacked import Scorer, Scores, StackedPipeline
from octavo.tabular.target import Target
from octavo.tabular.uncertainty import predicted_numbers

if TYPE_CHECKING:
    from octavo.tabular.effects import Effect
    from octavo.tabular.explaining import Explanation, Method

__all__ = ["Member", "TabularModel", "load_model"]

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]

FORMAT = 3
PLAIN_FORMATS = (1, 2)  # without compression; the second has all members in one file
COMPRESSION = 3  # of gzip: trees become 2 to 4 times smaller, at 50 to 100 MB/s
DESCRIPTION = "model.json"
LIBRARIES = ("octavo", "numpy", "pandas", "scikit-learn", "lightgbm", "xgboost-cpu", "catboost")
CHUNK_ROWS = 100_000  # predictions of this many rows at a time bound the memory


@dataclass(frozen=True)
class Member:
    """One model of the ensemble.

    Parameters
    ----------
    name
        In words: "LightGBM, 31 leaves".
    trial
        Number of the trial that fitted it; None if it comes from no search.
    weight
        Its share of the ensemble; all shares sum to 1.
    pipelines
        One per fold; their predictions are averaged.
    """

    name: str
    trial: int | None
    weight: float
    pipelines: tuple[Scores, ...]

    @property
    def is_stacked(self) -> bool:
        """Whether it stands on what other models predict."""
        return any(isinstance(pipeline, StackedPipeline) for pipeline in self.pipelines)


@dataclass(frozen=True)
class TabularModel:
    """A weighted ensemble of fitted pipelines that predicts from raw tables.

    Parameters
    ----------
    schema
        The columns that it needs; brings any table into the form that it was trained on.
    target
        What it predicts; turns codes back into the user's labels.
    members
        The ensemble.
    metric
        Name of the metric that it was selected by.
    calibration
        Applied to the probabilities; None leaves them as they are.
    rule
        Turns probabilities into labels; None takes the most probable.
    conformal
        What prediction intervals (of numbers) or sets (of classes) are made with; None if the
        model was never validated.
    fair
        Decisions with a threshold per group instead of `rule`; None without.
    info
        Free JSON: versions, times, scores.
    who
        Its name in messages about tables that do not fit.
    """

    schema: Schema
    target: Target
    members: tuple[Member, ...]
    metric: str
    calibration: Calibration | None = None
    rule: DecisionRule | None = None
    conformal: Intervals | PredictionSets | None = None
    fair: FairRule | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    who: str = "the model"

    @property
    def is_classifier(self) -> bool:
        """Whether it predicts classes."""
        return self.target.is_classification

    @property
    def is_stacked(self) -> bool:
        """Whether any member stands on what other models predict."""
        return any(member.is_stacked for member in self.members)

    def describe(self) -> str:
        """Its members in words, the weightiest first."""
        ranked = sorted(self.members, key=lambda member: -member.weight)
        return "; ".join(f"{member.weight:.0%} {member.name}" for member in ranked)

    def parts(self) -> list[tuple[float, TabularModel]]:
        """(weight, model) of every fitted pipeline by itself; the weights sum to 1."""
        return [
            (
                member.weight / len(member.pipelines),
                replace(
                    self,
                    members=(replace(member, weight=1.0, pipelines=(pipeline,)),),
                    calibration=None,
                    rule=None,
                    conformal=None,
                    fair=None,
                ),
            )
            for member in self.members
            for pipeline in member.pipelines
        ]

    def scores(self, X: Any) -> Floats:
        """Probabilities, shape (n, classes), or predicted values, shape (n,)."""
        parts = self.schema.chunks(X, CHUNK_ROWS, who=self.who)
        return np.concatenate([self.canonical_scores(canonical) for canonical in parts])

    def canonical_scores(self, canonical: pd.DataFrame) -> Floats:
        """The same for rows that `schema.apply` has brought into form already."""
        if not len(canonical):
            return np.empty((0, len(self.target.classes)) if self.target.classes else (0,))
        # Fold by fold, so that what several stand on is not kept for long.
        shares = [
            (member.weight / len(member.pipelines), member.pipelines[fold])
            for fold in range(max(len(member.pipelines) for member in self.members))
            for member in self.members
            if fold < len(member.pipelines)
        ]
        score = Scorer([pipeline for _, pipeline in shares], canonical)
        total: Floats | float = 0.0
        for share, pipeline in shares:
            total = total + share * score(pipeline)
        return self.calibrated(np.asarray(total, dtype=float))

    def calibrated(self, scores: Floats) -> Floats:
        """What the members say together, as the probabilities that are reported."""
        return scores if self.calibration is None else self.calibration.apply(scores)

    def predict(self, X: Any) -> NDArray[Any]:
        """Predicted labels or values, shape (n,), in the rows' order."""
        self.check_groups(X)
        return self.decide(self.scores(X), X)

    def check_groups(self, X: Any) -> None:
        """Refuse a table in which decisions by group would find none, before it is scored."""
        if self.fair is not None:
            self.fair.labels(X)

    def decide(self, scores: Floats, X: Any) -> NDArray[Any]:
        """Labels (or values) for what `scores` returned for a table."""
        if not self.is_classifier:
            return np.asarray(self.target.decode(scores))
        return np.asarray(self.target.decode(self.codes(scores, X)))

    def codes(self, probabilities: Floats, X: Any) -> NDArray[np.int64]:
        """The encoded decisions of a classifier for the probabilities of a table, shape (n,)."""
        if self.fair is not None:
            return self.fair.apply(probabilities, X)
        found = (
            probabilities.argmax(axis=1) if self.rule is None else self.rule.apply(probabilities)
        )
        return np.asarray(found, dtype=np.int64)

    def predict_proba(self, X: Any) -> Floats:
        """Probability of each class, shape (n, classes), in the order of `target.classes`.

        Raises
        ------
        SettingError
            If this is a regression model.
        """
        if not self.is_classifier:
            raise SettingError(
                f"predict_proba is for classifiers, but {self.target.name!r} is a number here. "
                "Use predict."
            )
        return self.scores(X)

    def predict_interval(self, X: Any, coverage: float = 0.9) -> Floats:
        """Between which values each row's truth lies with a given probability.

        Conformal: it holds on average over new rows that come as those of training came,
        whatever the models are like.

        Parameters
        ----------
        X
            A table as in training.
        coverage
            The probability, strictly between 0 and 1.

        Returns
        -------
        shape (n, 2)
            Lower and upper ends.

        Raises
        ------
        SettingError
            If this is a classifier, the coverage is none, or cannot be promised from as many
            rows as it was validated on.
        """
        if self.is_classifier:
            raise SettingError(
                f"predict_interval is for numbers, but {self.target.name!r} has classes here. "
                "Use predict_set."
            )
        intervals = self._conformal("predict_interval")
        assert isinstance(intervals, Intervals)
        check_coverage(coverage)
        parts = [np.empty((0, 2))]
        for chunk in self.schema.chunks(X, CHUNK_ROWS, who=self.who):
            if len(chunk):
                predicted, spread = predicted_numbers(self.members, chunk)
                parts.append(intervals.apply(predicted, coverage, disagreement=spread))
        return np.concatenate(parts)

    def predict_set(
        self, X: Any, coverage: float = 0.9, *, allow_empty: bool = True
    ) -> NDArray[np.bool_]:
        """Classes of which the true one is one with a given probability.

        Parameters
        ----------
        X
            A table as in training.
        coverage
            The probability, strictly between 0 and 1.
        allow_empty
            A model that is right more often than `coverage` has some empty sets. False puts the
            likeliest class into these.

        Returns
        -------
        shape (n, classes)
            Whether each class is in the set, in the order of `target.classes`.

        Raises
        ------
        SettingError
            If this is a regression model, the coverage is none, or cannot be promised from as
            many rows as it was validated on.
        """
        if not self.is_classifier:
            raise SettingError(
                f"predict_set is for classes, but {self.target.name!r} is a number here. "
                "Use predict_interval."
            )
        sets = self._conformal("predict_set")
        assert isinstance(sets, PredictionSets)
        check_coverage(coverage)
        return sets.apply(self.scores(X), coverage, allow_empty=allow_empty)

    def explain(
        self,
        X: Any,
        *,
        background: Any = None,
        method: Method = "auto",
        rounds: int = 16,
        max_rows: int | None = 200,
        seed: int = 0,
    ) -> Explanation:
        """What each column contributes to the predictions of some rows: Shapley values.

        They are on the scale of the predictions: probabilities, or the target's own unit.

        Parameters
        ----------
        X
            A table as in training.
        background
            Rows that stand for the usual ones, such as some of the training table: columns of
            members that are not made of trees are replaced by theirs. None takes `X` itself.
        method
            "auto": exact values of trees (TreeSHAP), sampled ones of other members. "trees":
            the trees alone, the others left out. "sampling": everything sampled, which asks
            what the model says of rows put together from two, instead of following the trees'
            paths.
        rounds
            Of sampling; the error falls with their root.
        max_rows
            Rows are sampled down to this; None explains all.
        seed
            Of all that is random.

        Returns
        -------
        Explanation
            With `values` of shape (n, columns) or (n, columns, classes), `importance()`,
            `of_row()`, `plot()` and `plot_row()`.

        Raises
        ------
        SettingError, DataError
            With what to do about it.
        """
        from octavo.tabular.explaining import explain

        given = self.schema.apply(X, who=self.who)
        usual = None if background is None else self.schema.apply(background, who=self.who)
        return explain(
            self, given, usual, method=method, rounds=rounds, max_rows=max_rows, seed=seed
        )

    def partial_dependence(
        self,
        columns: str | Sequence[str],
        X: Any,
        *,
        grid_size: int = 20,
        max_rows: int = 200,
        seed: int = 0,
    ) -> Effect:
        """How predictions change with one column, or two, all others as they are in `X`.

        Parameters
        ----------
        columns
            A name or two: numbers, truths, dates or categories.
        X
            A table as in training.
        grid_size
            Values that a column is set to, at most.
        max_rows
            Rows are sampled down to this.
        seed
            Of the rows.

        Returns
        -------
        Effect
            The mean over rows with a 95 % interval, and the curves of single rows (ICE).

        Raises
        ------
        SettingError, DataError
            With what to do about it.
        """
        from octavo.tabular.effects import effect

        given = self.schema.apply(X, who=self.who)
        return effect(self, given, columns, grid_size=grid_size, max_rows=max_rows, seed=seed)

    def _conformal(self, what: str) -> Intervals | PredictionSets:
        if self.conformal is None:
            raise SettingError(
                f"this model cannot {what}: it was saved by an Octavo that kept no scores of "
                "validated rows, or was fitted without validation. Fit and save it again, with "
                "AutoClassifier, AutoRegressor, a task's search or `octavo fit`."
            )
        return self.conformal

    def save(self, folder: str | Path) -> Path:
        """Write the model to a folder, replacing a model that is there already.

        It is written beside and renamed, so a folder never holds half a model.
        """
        return write_folder(
            Path(folder), self.write_into, mark=DESCRIPTION, what="saved model", content="model"
        )

    def export(self, folder: str | Path) -> Path:
        """Write a folder that predicts without Octavo; see `octavo.tabular.delivery`."""
        from octavo.tabular.delivery.folder import export_folder

        return export_folder(self, Path(folder))

    def export_onnx(self, path: str | Path) -> Path:
        """Write the model as an ONNX file; see `octavo.tabular.delivery.onnx_file`."""
        from octavo.tabular.delivery.onnx_file import export_onnx

        return export_onnx(self, Path(path))

    def write_into(self, folder: Path, libraries: Iterable[str] | None = None) -> None:
        """Write the files of the model into a folder that is there and empty.

        Parameters
        ----------
        folder
            Where to.
        libraries
            Whose versions are noted, to be compared when it is loaded; None for all that
            Octavo's models depend on.
        """
        (folder / "members").mkdir()
        # What stands on others lies with them in one file, so that none of them is there twice.
        parts: list[tuple[Any, ...]] = [member.pipelines for member in self.members]
        for place, part in enumerate([tuple(parts)] if self.is_stacked else parts):
            with (
                (folder / "members" / f"{place}.pkl.gz").open("wb") as file,
                # Without the time of day: the same model is the same file.
                gzip.GzipFile("", "wb", COMPRESSION, file, mtime=0) as packed,
            ):
                cloudpickle.dump(part, packed, protocol=5)
        described = self._describe()
        if libraries is not None:
            described["versions"] = versions(libraries)
        (folder / DESCRIPTION).write_text(json.dumps(described, indent=2))

    def _describe(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "in_one_file": self.is_stacked,
            "note": "members/* are Python pickles: load them only if you trust their source.",
            "python": platform.python_version(),
            "versions": versions(),
            "metric": self.metric,
            "schema": self.schema.to_json(),
            "target": self.target.to_json(),
            "members": [
                {"name": member.name, "trial": member.trial, "weight": member.weight}
                for member in self.members
            ],
            "calibration": None if self.calibration is None else self.calibration.to_json(),
            "rule": None if self.rule is None else self.rule.to_json(),
            "conformal": None if self.conformal is None else self.conformal.to_json(),
            "fair": None if self.fair is None else self.fair.to_json(),
            "info": dict(self.info),
        }


def load_model(folder: str | Path) -> TabularModel:
    """Load a saved model; none of the search is imported.

    Parameters
    ----------
    folder
        A model's folder, or the folder of the run that made it.

    Returns
    -------
    TabularModel
        With `predict` and `predict_proba`.

    Raises
    ------
    StorageError
        If there is no model in the folder, or it was written by a newer format.

    Warns
    -----
    UserWarning
        If a library has another version than the one that the model was trained with.
    """
    if not isinstance(folder, str | os.PathLike):
        raise SettingError(
            f"load_model got {folder!r} of type {type(folder).__name__}. Give the path of the "
            "folder that `save` or `octavo fit --out` wrote."
        )
    folder = Path(folder)
    if not (folder / "model.json").exists() and (folder / "model" / "model.json").exists():
        folder = folder / "model"
    if not (folder / "model.json").exists():
        raise StorageError(
            f"there is no saved model in {folder} (no model.json). Give the folder that "
            "`save` or `octavo fit --out` wrote."
        )
    try:
        described = json.loads((folder / "model.json").read_text())
        written = int(described["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{folder / 'model.json'} is damaged ({type(error).__name__}: {error}), where the "
            "description of a model was expected. Save the model again, or copy the folder anew."
        ) from error
    if written > FORMAT:
        raise StorageError(
            f"{folder} was written by a newer Octavo ({described['versions'].get('octavo')}), in "
            f"format {written}; this one reads up to {FORMAT}. Update: pip install -U octavo."
        )
    try:
        _warn_of_versions(described["versions"])
        target = Target.from_json(described["target"])
        conformal = PredictionSets if target.is_classification else Intervals
        return TabularModel(
            schema=Schema.from_json(described["schema"]),
            target=target,
            members=tuple(
                Member(pipelines=pipelines, **member)
                for pipelines, member in zip(
                    _read_members(folder, described),
                    described["members"],
                    strict=True,
                )
            ),
            metric=described["metric"],
            calibration=_or_none(Calibration, described["calibration"]),
            rule=_or_none(DecisionRule, described["rule"]),
            # Models of earlier versions have neither.
            conformal=_or_none(conformal, described.get("conformal")),
            fair=_or_none(FairRule, described.get("fair")),
            info=described["info"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        lacks = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise StorageError(
            f"{folder / 'model.json'} is no whole description of a model: {lacks}. Save the model "
            "again, or copy the folder anew."
        ) from error


def _read_members(folder: Path, described: Mapping[str, Any]) -> Sequence[tuple[Scores, ...]]:
    """The fitted pipelines of each member: all in one file, or in a file for each."""
    is_plain = described["format"] in PLAIN_FORMATS
    ending = ".pkl" if is_plain else ".pkl.gz"
    n = len(described["members"])
    if described["format"] == 2 or described.get("in_one_file", False):
        parts = _read_pickle(folder / "members" / f"0{ending}", folder)
        if len(parts) != n:
            raise StorageError(
                f"{folder / 'members'} holds {len(parts)} members, but model.json describes {n}. "
                "Copy the whole folder anew."
            )
        return parts
    return [_read_pickle(folder / "members" / f"{at}{ending}", folder) for at in range(n)]


def _read_pickle(path: Path, folder: Path) -> tuple[Any, ...]:
    """What one file of a model's folder holds."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return tuple(Reader(file).load())
    except FileNotFoundError:
        raise StorageError(
            f"{path} is missing, so the model in {folder} is incomplete. Copy the whole folder."
        ) from None
    except Exception as error:  # unpickling raises whatever the pickled classes do
        raise StorageError(
            f"{path} cannot be loaded ({type(error).__name__}: {error}): it is damaged, or was "
            "made with other versions of the libraries. Copy the whole folder anew, or install "
            "the versions that its model.json names."
        ) from error


class Reader(pickle.Unpickler):
    """Reads pickled pipelines, wherever the classes of Octavo lie today.

    An exported model brings them under another name than "octavo".
    """

    root = __name__.removesuffix(".tabular.model")

    def find_class(self, module: str, name: str) -> Any:
        """The class that a pickle names."""
        package, _, rest = module.partition(".")
        if package == "octavo":
            module = f"{self.root}.{rest}" if rest else self.root
        return super().find_class(module, name)


def _or_none(kind: Any, data: Any) -> Any:
    return None if data is None else kind.from_json(data)


def versions(libraries: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """What is installed of the libraries that models depend on."""
    found = {}
    for library in libraries:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _warn_of_versions(trained_with: Mapping[str, str]) -> None:
    here = versions(trained_with)
    changed = [
        f"{name} {trained_with[name]} (here {here.get(name, 'absent')})"
        for name in trained_with
        if here.get(name) != trained_with[name]
    ]
    if changed:
        warnings.warn(
            f"the model was trained with {', '.join(changed)}. Predictions may differ or fail; "
            "install the same versions to be safe.",
            stacklevel=3,
        )

"""What a user may set about a tabular search, in one place, with its defaults."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavo.amounts import is_number, is_whole
from octavo.errors import SettingError, closest
from octavo.problem import Limits, TrialLimits
from octavo.tabular.bounds import Bound, read_bounds
from octavo.tabular.monotone import Direction, read_directions

if TYPE_CHECKING:
    from octavo.callbacks import Callback
    from octavo.tabular.models.family import Family
    from octavo.transfer import Portfolio

__all__ = ["SearchSettings"]


@dataclass(frozen=True)
class SearchSettings:
    """How to search.

    Parameters
    ----------
    task
        "classification", "binary", "multiclass" or "regression"; None finds out from the
        target.
    metric
        A name, a scikit-learn scorer or any callable; None takes the task's default.
    time_limit_s
        Wall-clock seconds from the call to its return.
    max_trials
        Number of pipelines to evaluate; without a time limit the result is reproducible.
    trial_time_s
        Seconds that one pipeline may take.
    trial_memory_mb
        What one pipeline may use while it is fitted, in MiB.
    n_jobs
        Pipelines fitted at the same time, in processes of their own. None: as many as
        there are cores with a time limit, else one in this process.
    n_threads
        Threads of one fit; None divides the cores among the jobs.
    seed
        Of everything random; None draws one.
    resampling, resampling_args
        See `octavo.ensemble.resampling.plan`.
    include, exclude
        Names of model families to search over, or not.
    families
        The user's own families.
    space_updates
        Narrower ranges or fixed values: `{"lightgbm.learning_rate": 0.05}`.
    kinds
        The kind of each column, where detection is to be overruled.
    ensemble_size
        Steps of greedy ensemble selection; 1 uses the best pipeline alone.
    ensemble_nbest
        How many of the best pipelines the ensemble may choose from.
    ensemble_thrift
        Share of the ensemble's gain over the best pipeline that may go in order to leave out
        members that cost much time and space and help little; 0 keeps them all.
    refit_full
        Whether the ensemble's members are fitted once more on all rows in the end, in place of
        their pipelines of the folds, as far as the time limit allows.
    max_models
        How many fitted pipelines stay on disk; the worst are deleted first.
    stack
        Whether models may stand on the predictions of others: "auto" where there are rows and
        time enough and it is better out of fold by two standard errors; True wherever it
        is better at all; False never.
    sampling
        Whether most pipelines are fitted on samples of the training rows and the best on all:
        "auto" where the time limit is too short for all rows; True; False never.
    calibrate
        Whether probabilities are calibrated where the metric looks at them.
    tune_decision
        Whether the decision rule is tuned for metrics of labels.
    portfolio
        Configurations to begin with, before the families' defaults; None for none.
    sensitive
        Names of the columns whose groups are to be treated alike (one name, or several).
    sensitive_at_predict
        Whether these columns are there when the model predicts: it then learns from them, and
        may decide by group. Otherwise it never sees them.
    constraints
        Bounds on the final model; see `octavo.tabular.bounds`.
    monotone
        Columns with which predictions may only rise ("increasing") or fall ("decreasing"), by
        name; see `octavo.tabular.monotone`.
    optimizer
        What proposes configurations after the opening.
    folder
        Where the run lies; None uses a temporary folder.
    scratch
        Where a temporary folder is made; None: where the system keeps them.
    callbacks
        Told of each event.
    progress
        Whether to show progress; None: if somebody watches.
    """

    task: str | None = None
    metric: str | Callable[..., float] | None = None
    time_limit_s: float | None = None
    max_trials: int | None = None
    trial_time_s: float | None = None
    trial_memory_mb: float | None = None
    n_jobs: int | None = None
    n_threads: int | None = None
    seed: int | None = None
    resampling: Any = "auto"
    resampling_args: Mapping[str, Any] = field(default_factory=dict)
    include: Sequence[str] | None = None
    exclude: Sequence[str] | None = None
    families: Sequence[Family] = ()
    space_updates: Mapping[str, Any] = field(default_factory=dict)
    kinds: Any = None
    ensemble_size: int = 40
    ensemble_nbest: int = 50
    ensemble_thrift: float = 0.05
    refit_full: bool = True
    max_models: int = 60
    stack: bool | str = "auto"
    sampling: bool | str = "auto"
    calibrate: bool = True
    tune_decision: bool = True
    portfolio: Portfolio | None = None
    sensitive: str | Sequence[str] | None = None
    sensitive_at_predict: bool = False
    constraints: Mapping[str, Any] = field(default_factory=dict)
    monotone: Mapping[str, str] | None = None
    optimizer: Any = "random-forest"
    folder: Path | None = None
    scratch: Path | None = None
    callbacks: tuple[Callback, ...] = ()
    progress: bool | None = None

    def __post_init__(self) -> None:
        if self.time_limit_s is None and self.max_trials is None:
            raise SettingError(
                "neither a time limit nor a number of trials is set, so the search would never "
                "end. Give time_limit='5m', or max_trials=50 for a reproducible result."
            )
        Limits(max_trials=self.max_trials, wall_s=self.time_limit_s)  # refuses what is no limit
        TrialLimits(wall_s=self.trial_time_s, memory_mb=self.trial_memory_mb)
        for name in ("ensemble_size", "ensemble_nbest", "max_models"):
            value = getattr(self, name)
            if not is_whole(value, 1):
                raise SettingError(
                    f"{name}={value!r} must be a whole number of at least 1. Leave it out for the "
                    "default."
                )
        for name in ("n_jobs", "n_threads"):
            value = getattr(self, name)
            if value is not None and not (is_whole(value, 1) or value == -1):
                raise SettingError(
                    f"{name}={value!r} must be a whole number of at least 1, -1 for all cores, "
                    "or None to let Octavo choose."
                )
        if self.seed is not None and not is_whole(self.seed, 0):
            raise SettingError(
                f"seed={self.seed!r} must be a whole number of at least 0. Give such as 0, or None "
                "to have one drawn."
            )
        self._check_ensemble()
        self._check_stack()
        self._check_sampling()
        self._check_groups_of_settings()
        gaps = [bound.word for bound in self.bounds if bound.kind == "gap"]
        if gaps and not self.sensitive_names:
            raise SettingError(
                f"constraints bounds {gaps[0]!r}, but no sensitive column is named, whose groups "
                "would be compared. Add such as sensitive='sex'."
            )
        both = [name for name in self.directions if name in self.sensitive_names]
        if both and self.sensitive_at_predict:
            raise SettingError(
                f"the column {both[0]!r} is named by both monotone and sensitive, but with "
                "sensitive_at_predict=True decisions may differ between its groups in any "
                "direction. Leave it out of one of them."
            )

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The constraints, read."""
        return read_bounds(self.constraints)

    @property
    def directions(self) -> dict[str, Direction]:
        """The direction of each column that `monotone` names."""
        return read_directions(self.monotone)

    @property
    def sensitive_names(self) -> tuple[str, ...]:
        """The sensitive columns."""
        if self.sensitive is None:
            return ()
        if isinstance(self.sensitive, str):
            return (self.sensitive,)
        if not isinstance(self.sensitive, Collection):
            raise SettingError(
                f"sensitive={self.sensitive!r} is of type {type(self.sensitive).__name__}. Write "
                "the name of a column, such as sensitive='sex', or a list of names."
            )
        return tuple(map(str, self.sensitive))

    @property
    def stacks(self) -> bool:
        """Whether there may be a second level."""
        return self.stack is not False

    def _check_ensemble(self) -> None:
        thrift = self.ensemble_thrift
        if not is_number(thrift) or not 0 <= thrift <= 1:
            raise SettingError(
                f"ensemble_thrift={thrift!r} must be a number from 0 to 1: the share of the "
                "ensemble's gain that may be given up for fewer members. Leave it out for 0.05."
            )
        if not isinstance(self.refit_full, bool):
            raise SettingError(
                f"refit_full={self.refit_full!r} must be True or False. Leave it out for True, "
                "which fits the ensemble's members on all rows in the end."
            )

    def _check_stack(self) -> None:
        if not isinstance(self.stack, bool) and self.stack != "auto":
            raise SettingError(
                f"stack={self.stack!r} must be True, False or 'auto'. Leave it out for 'auto', "
                "which stacks where that is better."
            )
        if self.stack is True and self.ensemble_size == 1:
            raise SettingError(
                "stack=True with ensemble_size=1: the best pipeline alone has nothing that stands "
                "on it. Leave out one of the two."
            )

    def _check_sampling(self) -> None:
        if not isinstance(self.sampling, bool) and self.sampling != "auto":
            raise SettingError(
                f"sampling={self.sampling!r} must be True, False or 'auto'. Leave it out for "
                "'auto', which fits on samples where the time limit is too short for all rows."
            )
        if self.sampling is True and self.stack is True:
            raise SettingError(
                "sampling=True with stack=True: a second level stands on models of the same rows, "
                "and those of samples differ in theirs. Leave out one of the two."
            )

    def _check_groups_of_settings(self) -> None:
        for name in ("include", "exclude"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, str) or not isinstance(value, Collection)):
                raise SettingError(
                    f"{name}={value!r} is of type {type(value).__name__}, but is a list of names "
                    f"of model families. Write {name}=['linear'] also for a single one."
                )
        for name, example in (
            ("space_updates", "{'lightgbm.learning_rate': 0.05}"),
            ("resampling_args", "{'num_splits': 5}"),
        ):
            value = getattr(self, name)
            if not isinstance(value, Mapping):
                raise SettingError(
                    f"{name}={value!r} is of type {type(value).__name__}, but is a dict by name. "
                    f"Write {name}={example}."
                )
        from octavo.tabular.models.family import Family

        families = self.families
        if isinstance(families, str) or not isinstance(families, Collection):
            families = (families,)
        for family in families:
            if not isinstance(family, Family):
                raise SettingError(
                    f"families contains {family!r} of type {type(family).__name__}, which is no "
                    "Family. Describe your model by a list of octavo.tabular.models.family.Family; "
                    "Octavo's own are chosen by include and exclude."
                )
        if self.scratch is not None and not self.scratch.is_dir():
            raise SettingError(
                f"the temporary folder {str(self.scratch)!r} does not exist. Make it first, or "
                "leave it out to use the system's."
            )

    @property
    def runs_in_processes(self) -> bool:
        """Whether pipelines are fitted in processes of their own.

        Limits can only be enforced on processes; without any limit and with one job there
        is nothing to enforce, and a search of few trials on a small table is much quicker
        in this process.
        """
        limited = (
            self.time_limit_s is not None
            or self.trial_time_s is not None
            or self.trial_memory_mb is not None
        )
        return limited or self.n_jobs not in (None, 1)


def as_folder(given: str | os.PathLike[str] | None, name: str) -> Path | None:
    """A path, or None; refuses what is neither."""
    if given is None:
        return None
    if not isinstance(given, str | os.PathLike) or not str(given):
        raise SettingError(
            f"{name}={given!r} is of type {type(given).__name__}, but must be the path of a "
            "folder. Write such as 'runs/price', or None to keep nothing."
        )
    return Path(given)


def refuse_unknown(given: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    """Refuse keyword arguments that nothing would read."""
    for name in given:
        if name not in known:
            raise SettingError(
                f"{what} got an argument {name!r} (value {given[name]!r}) that it does not know."
                f"{closest(name, known)} It takes: {', '.join(sorted(known))}."
            )

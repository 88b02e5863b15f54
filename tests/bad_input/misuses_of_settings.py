"""Misuses of the estimators' and tasks' settings, and of `search`."""

from pathlib import Path

from misuse import Misuse
from misuses_of_fit import N, classify, price, regress, sold, table
from sklearn.metrics import make_scorer, r2_score

import octavo
from octavo.errors import DataError, ProblemError, SettingError, StudyError
from octavo.transfer import Portfolio


def search(task=octavo.TabularClassificationTask, metric="accuracy", settings=None, **arguments):
    right = {"X_train": table(), "y_train": sold(), "total_walltime_limit": 3}
    return task(**(settings or {})).search(metric, **(right | arguments))


def splits(strategy, **arguments):
    return classify(resampling=strategy, resampling_args=arguments)


def divides_by_zero(y_true, y_pred):
    return 1 / 0


divides_by_zero.greater_is_better = True

METRICS = [
    Misuse(
        "a misspelt metric",
        lambda: classify(metric="acuracy"),
        SettingError, "'acuracy'", "not known. Did you mean 'accuracy'?", "or a function",
    ),
    Misuse(
        "a metric of another task",
        lambda: classify(metric="rmse"),
        SettingError, "'rmse'", "for regression tasks, but this task is binary", "Use 'roc_auc'",
    ),
    Misuse(
        "several metrics",
        lambda: classify(metric=["accuracy", "log_loss"]),
        SettingError, "metric=['accuracy', 'log_loss']", "of type list", "Pass a name such as",
    ),
    Misuse(
        "a function that does not say what is better",
        lambda: classify(metric=lambda y_true, y_pred: 1.0),
        SettingError, "'<lambda>'", "the direction of the metric", "set the attribute",
    ),
    Misuse(
        "a scorer for numbers",
        lambda: classify(metric=make_scorer(r2_score)),
        SettingError, "'r2_score'", "for regression, but this task is binary",
        "Use one for classes",
    ),
    Misuse(
        "a metric for several labels at once",
        lambda: classify(metric="f1_samples"),
        SettingError, "'f1_samples'", "for rows with several labels at once", "Use 'f1_macro'",
    ),
    Misuse(
        "a metric that fails",
        lambda: classify(metric=divides_by_zero),
        StudyError, "ZeroDivisionError", "no pipeline could be fitted: 1 were tried",
        "Look at the data",
    ),
]  # fmt: skip

SETTINGS = [
    Misuse(
        "a time that cannot be read",
        lambda: classify(time_limit="soon"),
        ProblemError, "time_limit='soon'", "cannot be read as a time", "Write it as '90s'",
    ),
    Misuse(
        "no time at all",
        lambda: classify(time_limit=-5),
        ProblemError, "time_limit=-5", "a finite time of more than 0 seconds", "or use None",
    ),
    Misuse(
        "neither time nor trials",
        lambda: classify(max_trials=None),
        SettingError, "neither a time limit nor a number of trials", "would never end",
        "Give time_limit='5m'",
    ),
    Misuse(
        "trials in words",
        lambda: classify(max_trials="many"),
        ProblemError, "max_trials='many'", "a whole number of at least 1", "Use None for no limit",
    ),
    Misuse(
        "memory in words",
        lambda: classify(memory_limit="lots"),
        ProblemError, "memory_limit='lots'", "an amount of memory", "Write it as '500MB'",
    ),
    Misuse(
        "negative memory",
        lambda: classify(memory_limit=-5),
        ProblemError, "memory_limit=-5", "a finite amount of more than 0 MiB", "Write it as '4GB'",
    ),
    Misuse(
        "jobs in words",
        lambda: classify(n_jobs="all"),
        SettingError, "n_jobs='all'", "a whole number of at least 1", "-1 for all cores",
    ),
    Misuse(
        "an empty ensemble",
        lambda: classify(ensemble_size=0),
        SettingError, "ensemble_size=0", "a whole number of at least 1", "Leave it out",
    ),
    Misuse(
        "stacking in other words",
        lambda: classify(stack="always"),
        SettingError, "stack='always'", "must be True, False or 'auto'", "Leave it out for 'auto'",
    ),
    Misuse(
        "stacking on a single pipeline",
        lambda: classify(stack=True, ensemble_size=1),
        SettingError, "stack=True with ensemble_size=1", "nothing that stands on it",
        "Leave out one of the two",
    ),
    Misuse(
        "sampling in other words",
        lambda: classify(sampling="always"),
        SettingError, "sampling='always'", "must be True, False or 'auto'",
        "Leave it out for 'auto'",
    ),
    Misuse(
        "stacking on samples",
        lambda: classify(sampling=True, stack=True),
        SettingError, "sampling=True with stack=True", "those of samples differ",
        "Leave out one of the two",
    ),
    Misuse(
        "samples of a small table",
        lambda: classify(sampling=True),
        SettingError, "sampling=True", "15,000 are needed", "Leave sampling out",
    ),
    Misuse(
        "a random state that is none",
        lambda: classify(random_state="lucky"),
        SettingError, "random_state='lucky'", "a whole number of at least 0", "Give such as 0",
    ),
    Misuse(
        "the run's folder as a number",
        lambda: classify(output_folder=5),
        SettingError, "output_folder=5", "the path of a folder", "Write such as 'runs/price'",
    ),
    Misuse(
        "a misspelt family",
        lambda: classify(include=["lightgmb"]),
        SettingError, "'lightgmb'", "no family of models. Did you mean 'lightgbm'?", "There are",
    ),
    Misuse(
        "a family instead of a list of families",
        lambda: classify(include="linear"),
        SettingError, "include='linear'", "a list of names", "Write include=['linear']",
    ),
    Misuse(
        "no family left",
        lambda: classify(exclude=["linear"]),
        SettingError, "(all are excluded)", "no family of models is left", "do not exclude",
    ),
    Misuse(
        "an estimator as a family",
        lambda: classify(include=None, families=[octavo.AutoRegressor]),
        SettingError, "octavo.tabular.estimators.AutoRegressor", "is no Family",
        "Describe your model",
    ),
    Misuse(
        "updates that are no mapping",
        lambda: classify(space_updates=["linear.norm"]),
        SettingError, "space_updates=['linear.norm']", "a dict by name", "Write space_updates={",
    ),
    Misuse(
        "an update of what is not there",
        lambda: classify(include=["lightgbm"], space_updates={"lightgbm.learning_rat": 0.1}),
        SettingError, "'lightgbm.learning_rat'", "has no", "Names look like",
    ),
    Misuse(
        "an empty update",
        lambda: classify(include=["lightgbm"], space_updates={"lightgbm.learning_rate": []}),
        SettingError, "'lightgbm.learning_rate'", "is empty", "Name at least one value",
    ),
    Misuse(
        "a misspelt strategy",
        lambda: splits("cvv"),
        SettingError, "'cvv'", "not known. Did you mean 'cv'?", "pass a scikit-learn splitter",
    ),
    Misuse(
        "no validation",
        lambda: splits("no_resampling"),
        SettingError, "'no_resampling'", "leaves no rows to judge models by", "Use 'holdout'",
    ),
    Misuse(
        "a misspelt argument of validation",
        lambda: splits("cv", n_splits=3),
        SettingError, "'n_splits'", "not known. Did you mean 'num_splits'?", "Known: num_splits",
    ),
    Misuse(
        "a single fold",
        lambda: splits("cv", num_splits=1),
        SettingError, "num_splits=1", "makes no sense", "Pass a whole number >= 2",
    ),
    Misuse(
        "more folds than rows",
        lambda: splits("cv", num_splits=500),
        SettingError, "num_splits=500", "cannot be made of 40 rows", "Pass at most 40",
    ),
    Misuse(
        "a share above one",
        lambda: splits("holdout", val_share=25),
        SettingError, "val_share=25", "strictly between 0 and 1", "0.33 keeps a third",
    ),
    Misuse(
        "strata in order",
        lambda: splits("cv", stratify=True, shuffle=False),
        SettingError, "stratify=True with shuffle=False", "contradict each other",
        "Leave one of them out",
    ),
    Misuse(
        "arguments beside a splitter",
        lambda: splits([(range(20), range(20, N))], num_splits=3),
        SettingError, "['num_splits']", "would ignore them", "Set them on the splitter",
    ),
    Misuse(
        "a number as strategy",
        lambda: splits(5),
        SettingError, "strategy 5", "of type int", "Pass a name such as 'cv'",
    ),
    Misuse(
        "a splitter without folds",
        lambda: splits([]),
        SettingError, "list gave no folds", "at least one pair", "It must give",
    ),
    Misuse(
        "a fold that is no pair",
        lambda: splits([3]),
        SettingError, "is 3", "a pair of index arrays", "Write each fold as",
    ),
    Misuse(
        "a fold with rows that are not there",
        lambda: splits([(range(30), range(30, 41))]),
        SettingError, "30 to 40", "whole numbers from 0 to 39", "Pass positions",
    ),
    Misuse(
        "a fold that validates where it trains",
        lambda: splits([(range(30), range(25, N))]),
        SettingError, "the same 5 rows, such as row 25", "must be disjoint",
        "leave these rows out of one",
    ),
]  # fmt: skip

TASKS = [
    Misuse(
        "a search without a table",
        lambda: search(X_train=None),
        SettingError, "no X_train", "(a table) and y_train (its target)", "Pass both",
    ),
    Misuse(
        "a misspelt argument of search",
        lambda: search(total_walltime_limt=30),
        SettingError, "'total_walltime_limt' (value 30)", "Did you mean 'total_walltime_limit'?",
        "It takes:",
    ),
    Misuse(
        "a budget that is not there",
        lambda: search(budget_type="epochs"),
        SettingError, "budget_type='epochs'", "pipelines are evaluated in full", "Leave it out",
    ),
    Misuse(
        "a budget without its type",
        lambda: search(min_budget=5),
        SettingError, "min_budget=5", "means nothing without budget_type",
        'Give budget_type="runtime"',
    ),
    Misuse(
        "a smallest budget",
        lambda: search(budget_type="runtime", min_budget=5),
        SettingError, "min_budget=5", "would be read by no one", "Leave it out; max_budget",
    ),
    Misuse(
        "a seed in words",
        lambda: search(settings={"seed": "x"}),
        SettingError, "seed='x'", "a whole number of at least 0", "Give such as 0",
    ),
    Misuse(
        "a temporary folder that is not there",
        lambda: search(settings={"temporary_directory": "scratch"}),
        SettingError, "'scratch'", "does not exist", "Make it first",
    ),
    Misuse(
        "predicting before searching",
        lambda: octavo.TabularRegressionTask().predict(table()),
        StudyError, "TabularRegressionTask", "has not searched yet", "Call search(...) first",
    ),
]  # fmt: skip

BOUNDS = [
    Misuse(
        "bounds that are no mapping",
        lambda: classify(constraints="model_size<20MB"),
        SettingError, "constraints='model_size<20MB'", "is a dict by name", "Write constraints={",
    ),
    Misuse(
        "a misspelt bound",
        lambda: classify(constraints={"modelsize": (None, "20MB")}),
        SettingError, "'modelsize'", "not known. Did you mean 'model_size'?", "Use one of",
    ),
    Misuse(
        "a bound that is no pair",
        lambda: classify(constraints={"model_size": "20MB"}),
        SettingError, "constraints['model_size']='20MB'", "is not a pair (low, high)",
        "Write {'model_size': (None, '20MB')}",
    ),
    Misuse(
        "a bound on the good side",
        lambda: classify(constraints={"training_time": ("5s", None)}),
        SettingError, "('5s', None)", "only the upper side can be bounded",
        "Write {'training_time': (None, '5m')}",
    ),
    Misuse(
        "a gap in percent",
        lambda: classify(constraints={"demographic_parity": (None, 5)}, sensitive="town"),
        SettingError, "the upper bound 5", "strictly between 0 and 1",
        "Write {'demographic_parity': (None, 0.05)}",
    ),
    Misuse(
        "a gap between no groups",
        lambda: classify(constraints={"equalized_odds": (None, 0.05)}),
        SettingError, "bounds 'equalized_odds'", "no sensitive column is named",
        "Add such as sensitive='sex'",
    ),
]  # fmt: skip

GROUPS = [
    Misuse(
        "a sensitive column by its number",
        lambda: classify(sensitive=5),
        SettingError, "sensitive=5", "of type int", "Write the name of a column",
    ),
    Misuse(
        "an unknown sensitive column",
        lambda: classify(sensitive=["towm"]),
        SettingError, "'towm'", "the table does not have. Did you mean 'town'?", "Name one of its",
    ),
    Misuse(
        "a sensitive column of one group",
        lambda: classify(X=table().assign(land="DE"), sensitive="land"),
        SettingError, "'land' has one group only, 'DE'", "nothing can be compared",
        "Name another column",
    ),
    Misuse(
        "groups for a number",
        lambda: regress(price(), sensitive="town"),
        SettingError, "sensitive='town'", "gaps between groups are measured on decisions",
        "Leave it out",
    ),
]  # fmt: skip

DIRECTIONS = [
    Misuse(
        "directions that are no mapping",
        lambda: classify(monotone=["rooms"]),
        SettingError, "monotone=['rooms']", "is a dict by column",
        "Write monotone={'age': 'increasing'}",
    ),
    Misuse(
        "a misspelt direction",
        lambda: classify(monotone={"rooms": "incresing"}),
        SettingError, "monotone['rooms']='incresing'",
        "is no direction. Did you mean 'increasing'?", "Write 'increasing' or 'decreasing'",
    ),
    Misuse(
        "the direction of an unknown column",
        lambda: classify(monotone={"romms": "increasing"}),
        SettingError, "'romms'", "the table does not have. Did you mean 'rooms'?",
        "Name one of its",
    ),
    Misuse(
        "the direction of words",
        lambda: classify(monotone={"town": "increasing"}),
        SettingError, "'town', which is of kind 'category'", "only numbers grow",
        "Leave it out, or, if its values are numbers, say so",
    ),
    Misuse(
        "a direction for several classes",
        lambda: classify(y=["a", "b", "c", "d"] * 10, monotone={"rooms": "decreasing"}),
        SettingError, "monotone={'rooms': 'decreasing'}", "is for numbers and two classes",
        "predict one class against the rest",
    ),
    Misuse(
        "a direction of what decides by group",
        lambda: classify(
            monotone={"rooms": "increasing"}, sensitive="rooms", sensitive_at_predict=True
        ),
        SettingError, "the column 'rooms'", "decisions may differ between its groups",
        "Leave it out of one of them",
    ),
]  # fmt: skip

PORTFOLIOS = [
    Misuse(
        "a number of configurations as portfolio",
        lambda: classify(portfolio=20),
        SettingError, "portfolio=20", "a portfolio, the path of its file, 'auto' or None",
        "Write such as 'portfolio.json'",
    ),
    Misuse(
        "a portfolio that is not there",
        lambda: classify(portfolio="portfolio.json"),
        DataError, "'portfolio.json'", "cannot be read", "Check the path",
    ),
    Misuse(
        "a portfolio that is no JSON",
        lambda: classify(portfolio=Path("portfolio.json")),
        DataError, "'portfolio.json'", "is no JSON", "Give the file that `octavo portfolio build`",
        given=lambda: Path("portfolio.json").write_text("lightgbm"),
    ),
    Misuse(
        "a portfolio of something else",
        lambda: classify(portfolio="space.json"),
        DataError, "space.json", "describes no portfolio", "`octavo portfolio build` wrote",
        given=lambda: Path("space.json").write_text('{"kind": "space"}'),
    ),
    Misuse(
        "a portfolio of a later version",
        lambda: Portfolio.from_json({"kind": "portfolio", "version": 99}),
        DataError, "version=99", "this Octavo reads version", "Update Octavo",
    ),
    Misuse(
        "a portfolio without its members",
        lambda: Portfolio.from_json({"kind": "portfolio", "version": 1, "sources": []}),
        DataError, "it has no 'members'", "incomplete or malformed", "Write it again",
    ),
]  # fmt: skip

CASES = [*METRICS, *SETTINGS, *TASKS, *BOUNDS, *GROUPS, *DIRECTIONS, *PORTFOLIOS]

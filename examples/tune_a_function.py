"""Tune a function: a conditional space, two processes, a study that is kept.

python examples/tune_a_function.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from sklearn.datasets import load_wine
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import octavo

space = octavo.space(
    C=octavo.Float(1e-3, 1e3, log=True),
    kernel=octavo.Categorical(["linear", "rbf", "poly"]),
    gamma=octavo.Float(1e-4, 1e1, log=True).when(kernel=["rbf", "poly"]),
    degree=octavo.Integer(2, 5).when(kernel="poly"),
)


def error(config, seed):
    """How often a support vector machine with these settings is wrong, by cross-validation."""
    X, y = load_wine(return_X_y=True)
    model = make_pipeline(StandardScaler(), SVC(**config, random_state=seed))
    return 1.0 - cross_val_score(model, X, y, cv=5).mean()


def main() -> None:
    """Search, look, go on."""
    with TemporaryDirectory() as room:
        folder = Path(room) / "svm"
        study = octavo.minimize(
            error, space, max_trials=20, workers=2, trial_time="30s", seed=0, storage=folder
        )
        print(f"{study.why}\n{study.best_value:.3f} wrong with {study.best_config}")
        study.close()

        # another day
        study = octavo.open_study(folder)
        study.run(error, max_trials=25, workers=2)
        print(study.history.to_frame()[["index", "status", "cost", "wall_s"]].tail())
        study.close()


if __name__ == "__main__":
    main()

"""Regression with the task call: a search, its statistics, and predictions.

python examples/predict_a_number.py
"""

from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import octavo


def main() -> None:
    """Search within a wall-clock limit, for the whole and for each model."""
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

    task = octavo.TabularRegressionTask(seed=0, n_jobs=2)
    task.search(
        X_train=X_train,
        y_train=y_train,
        X_test=X_test,
        y_test=y_test,
        optimize_metric="rmse",
        total_walltime_limit=20,
        func_eval_time_limit_secs=10,
    )
    print(task.sprint_statistics())
    print(task.score(task.predict(X_test), y_test))


if __name__ == "__main__":
    main()

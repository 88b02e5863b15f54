"""Trials on a Dask cluster: here one of this machine, elsewhere any that a client can reach.

Run: python examples/many_machines.py    (needs pip install "octavo[cluster]")
"""

from distributed import Client, LocalCluster
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

import octavo
from octavo.executors import DaskExecutor

SPACE = octavo.space(
    max_features=octavo.Float(0.05, 1.0),
    min_samples_leaf=octavo.Integer(1, 20, log=True),
    criterion=octavo.Categorical(["gini", "entropy"]),
)


def error(config, seed):
    """How often a forest with these settings is wrong, by cross-validation."""
    X, y = load_breast_cancer(return_X_y=True)
    forest = RandomForestClassifier(n_estimators=30, random_state=seed, **config)
    return 1.0 - cross_val_score(forest, X, y, cv=3).mean()


def main() -> None:
    """Two workers of one thread each; with SLURM or Kubernetes only the cluster is another."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        study = octavo.minimize(
            error, SPACE, max_trials=16, trial_time="60s", seed=0, executor=DaskExecutor(client)
        )
    for worker in sorted({trial.worker for trial in study.history}):
        n = sum(trial.worker == worker for trial in study.history)
        print(f"{n} trials on {worker}")
    print(f"{study.best_value:.3f} wrong with {study.best_config}")


if __name__ == "__main__":
    main()

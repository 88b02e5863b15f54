"""Accurate and frugal: energy as an objective, and a search that ends when it is not worth more.

Run: python examples/energy.py
"""

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import cross_val_score

import octavo
from octavo.callbacks import StopWhenNotWorth

SPACE = octavo.space(
    rate=octavo.Float(0.02, 0.5, log=True),
    rounds=octavo.Integer(5, 80, log=True),
    leaves=octavo.Integer(3, 31, log=True),
)


def error(config):
    X, y = load_breast_cancer(return_X_y=True)
    model = HistGradientBoostingClassifier(
        learning_rate=config["rate"],
        max_iter=config["rounds"],
        max_leaf_nodes=config["leaves"],
        random_state=0,
    )
    return 1.0 - cross_val_score(model, X, y, cv=3).mean()


def main() -> None:
    energy = octavo.Energy("estimate", watts_per_core=12, grams_per_kwh=380)

    print("Error against energy:")
    study = octavo.minimize(
        error, SPACE, objectives=["error", "energy"], max_trials=15, seed=0, energy=energy
    )
    for trial in sorted(study.pareto_front, key=lambda trial: trial.costs):
        print(f"  error {trial.costs[0]:.4f}   {trial.costs[1] * 1e6:6.2f} mWh   {trial.config}")
    print(f"  how: {study.best.resources.how['energy_kwh']}")

    print("Error alone, as long as it is worth its energy:")
    # In cents: a percentage point less is worth a thousandth of one, a kilowatt hour costs 30.
    stop = StopWhenNotWorth(gain=0.1, price_per_kwh=30.0)
    study = octavo.minimize(
        error, SPACE, max_trials=60, time_limit="30s", seed=0, energy=energy, callbacks=[stop]
    )
    used = sum(trial.resources.energy_kwh or 0.0 for trial in study.history)
    print(f"  error {study.best_value:.4f} after {len(study.history)} trials, {used * 1e6:.1f} mWh")
    print(f"  {study.stopped_because}")


if __name__ == "__main__":
    main()

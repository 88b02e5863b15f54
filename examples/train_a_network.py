"""Tune a network: hopeless settings get a few epochs, promising ones go on where they stopped.

Run: python examples/train_a_network.py
"""

import pickle

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

import octavo

SPACE = octavo.space(
    learning_rate_init=octavo.Float(1e-4, 1e-1, log=True),
    alpha=octavo.Float(1e-7, 1e-1, log=True),
    batch_size=octavo.Integer(16, 256, log=True),
    width=octavo.Integer(8, 128, log=True),
    activation=octavo.Categorical(["relu", "tanh", "logistic"]),
)


def error(config, *, fidelity, seed, checkpoint):
    """The validation error after `fidelity` epochs, those of an earlier trial included."""
    X, y = load_digits(return_X_y=True)
    X, X_valid, y, y_valid = train_test_split(StandardScaler().fit_transform(X), y, random_state=0)
    found = checkpoint.load()
    if found is not None:
        network = pickle.loads(found.read_bytes())
    else:
        settings = {name: value for name, value in config.items() if name != "width"}
        network = MLPClassifier(
            hidden_layer_sizes=(config["width"],), random_state=seed, **settings
        )
    while getattr(network, "n_epochs_", 0) < fidelity:
        network.partial_fit(X, y, classes=range(10))
        network.n_epochs_ = getattr(network, "n_epochs_", 0) + 1
    checkpoint.save(lambda path: path.write_bytes(pickle.dumps(network)))
    return 1.0 - network.score(X_valid, y_valid)


def main() -> None:
    """Search, and say what was saved."""
    epochs = octavo.Fidelity("epochs", 1, 27)
    study = octavo.minimize(error, SPACE, fidelity=epochs, max_trials=60, workers=2, seed=0)
    print(study.why)

    trials = list(study.history)
    by_epochs = {}
    for trial in trials:
        by_epochs[trial.proposal.fidelity] = by_epochs.get(trial.proposal.fidelity, 0) + 1
    resumed = sum("resumed_from" in trial.extra for trial in trials)
    print(f"Trials by epochs: {dict(sorted(by_epochs.items()))}; {resumed} went on from another.")
    print(f"{100 * study.best_value:.1f} % wrong with {study.best_config}")


if __name__ == "__main__":
    main()

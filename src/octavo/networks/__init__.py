"""Neural networks: their building blocks, their spaces, and one loop that trains them."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from octavo.networks.architecture import Architecture, Layout, network_space
    from octavo.networks.fitted import FittedNetwork
    from octavo.networks.fitting import fit_network
    from octavo.networks.inputs import Inputs, TableInputs, fit_inputs
    from octavo.networks.pace import Pace
    from octavo.networks.perceptron import Perceptron
    from octavo.networks.recipe import Recipe
    from octavo.networks.training import Trained, train
    from octavo.networks.weights import Weights, initial_weights

__all__ = [
    "Architecture",
    "FittedNetwork",
    "Inputs",
    "Layout",
    "Pace",
    "Perceptron",
    "Recipe",
    "TableInputs",
    "Trained",
    "Weights",
    "fit_inputs",
    "fit_network",
    "initial_weights",
    "network_space",
    "train",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "architecture": ["Architecture", "Layout", "network_space"],
        "fitted": ["FittedNetwork"],
        "fitting": ["fit_network"],
        "inputs": ["Inputs", "TableInputs", "fit_inputs"],
        "pace": ["Pace"],
        "perceptron": ["Perceptron"],
        "recipe": ["Recipe"],
        "training": ["Trained", "train"],
        "weights": ["Weights", "initial_weights"],
    },
)

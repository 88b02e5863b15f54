"""Neural networks: their building blocks, their spaces, and one loop that trains them.

What needs PyTorch loads with its first use; describing a network, scaling its inputs and
predicting with a trained one need NumPy only.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from octavo.networks.architecture import Architecture, Layout, network_space
    from octavo.networks.fitted import FittedNetwork
    from octavo.networks.fitting import fit_network
    from octavo.networks.inputs import Inputs, TableInputs, fit_inputs
    from octavo.networks.layers import CategoryEmbedding, MemberLinear, PeriodicEmbedding
    from octavo.networks.pace import Pace
    from octavo.networks.recipe import Recipe
    from octavo.networks.tabular_network import TabularNetwork
    from octavo.networks.training import Trained, train

__all__ = [
    "Architecture",
    "CategoryEmbedding",
    "FittedNetwork",
    "Inputs",
    "Layout",
    "MemberLinear",
    "Pace",
    "PeriodicEmbedding",
    "Recipe",
    "TableInputs",
    "TabularNetwork",
    "Trained",
    "fit_inputs",
    "fit_network",
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
        "layers": ["CategoryEmbedding", "MemberLinear", "PeriodicEmbedding"],
        "pace": ["Pace"],
        "recipe": ["Recipe"],
        "tabular_network": ["TabularNetwork"],
        "training": ["Trained", "train"],
    },
)

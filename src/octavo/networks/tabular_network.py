"""A multilayer perceptron for tables, k of them side by side.

After RealMLP (Holzmüller, Grinsztajn & Steinwart, 2024, Better by Default): numbers beside their
waves, categories as columns or embedded, a learned scale of each input, and plain layers. As in
TabM (Gorishniy, Kotelnikov & Babenko, 2024) members learn from losses of their own and their
predictions are averaged; their layers are not shared, so that each can leave out other rows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from octavo.networks.architecture import Architecture, Layout
from octavo.networks.layers import CategoryEmbedding, MemberLinear, PeriodicEmbedding

__all__ = ["TabularNetwork"]


class TabularNetwork(nn.Module):
    """k perceptrons with embeddings.

    Parameters
    ----------
    architecture
        Its size.
    layout
        What it reads.
    n_outputs
        Classes, or 1 for a number.
    """

    def __init__(self, architecture: Architecture, layout: Layout, n_outputs: int) -> None:
        super().__init__()
        self.members = k = architecture.members
        waves = architecture.waves_for(layout)
        self.periodic = (
            PeriodicEmbedding(
                k,
                layout.n_numbers,
                waves=waves,
                n_outputs=architecture.wave_outputs,
                frequency=architecture.frequency,
            )
            if waves
            else None
        )
        self.categories = nn.ModuleList(
            CategoryEmbedding(k, n_levels, architecture.category_dims)
            for n_levels in layout.n_levels
        )
        width = architecture.n_inputs(layout)
        self.scale = nn.Parameter(torch.ones(k, 1, width))
        self.layers = nn.ModuleList()
        for _ in range(architecture.depth):
            self.layers.append(MemberLinear(k, width, architecture.width))
            width = architecture.width
        self.head = MemberLinear(k, width, n_outputs)
        self.dropout = nn.Dropout(architecture.dropout)

    def forward(self, numbers: Tensor, flags: Tensor, codes: Tensor) -> Tensor:
        """What each member says.

        Parameters
        ----------
        numbers : shape (k, b, n_numbers)
            Scaled.
        flags : shape (k, b, n_flags)
            As in `Inputs`.
        codes : shape (k, b, categories)
            Whole numbers.

        Returns
        -------
        shape (k, b, n_outputs)
            Logits, or numbers.
        """
        parts = [numbers if self.periodic is None else self.periodic(numbers), flags]
        parts += [embed(codes[..., j]) for j, embed in enumerate(self.categories)]
        hidden = torch.cat(parts, dim=2) * self.scale
        for layer in self.layers:
            hidden = self.dropout(nn.functional.silu(layer(hidden)))
        out: Tensor = self.head(hidden)
        return out

"""Building blocks of networks that are trained side by side, in one go for all of them.

Small matrices leave a processor idle between them, so k small networks cost less together than
one after the other. Everywhere k is the number of members and b that of rows; a first axis of
length 1 stands for all members alike.

Periodic embeddings: Gorishniy, Rubachev & Babenko (2022), On Embeddings for Numerical Features
in Tabular Deep Learning; in the form of Holzmüller, Grinsztajn & Steinwart (2024), Better by
Default, where the number itself stays beside its waves. Packed ensembles: Laurent et al. (2023),
Packed-Ensembles for Efficient Uncertainty Estimation; for tables Gorishniy, Kotelnikov & Babenko
(2024), TabM.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["CategoryEmbedding", "MemberLinear", "PeriodicEmbedding"]


def _uniform(*shape: int, bound: float) -> nn.Parameter:
    return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))


class MemberLinear(nn.Module):
    """k linear layers, one for each member.

    Parameters
    ----------
    members
        k.
    n_inputs, n_outputs
        Of each layer.
    """

    def __init__(self, members: int, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        bound = 1.0 / math.sqrt(max(n_inputs, 1))
        self.weight = _uniform(members, n_inputs, n_outputs, bound=bound)
        self.bias = _uniform(members, 1, n_outputs, bound=bound)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (k, b, n_outputs), of (k, b, n_inputs)."""
        return torch.baddbmm(self.bias, x, self.weight)


class PeriodicEmbedding(nn.Module):
    """Each number beside a few sums of its waves, cos(2π f x + phase), for each member.

    Parameters
    ----------
    members, n_numbers
        k and p.
    waves
        Cosines of each number.
    n_outputs
        Sums of them.
    frequency
        Standard deviation of the first frequencies f.
    """

    def __init__(
        self, members: int, n_numbers: int, *, waves: int, n_outputs: int, frequency: float
    ) -> None:
        super().__init__()
        self.n_outputs = n_outputs
        shape = (members, 1, n_numbers, waves)
        self.frequency = nn.Parameter(torch.randn(*shape) * (2 * math.pi * frequency))
        self.phase = _uniform(*shape, bound=math.pi)
        bound = 1.0 / math.sqrt(waves)
        self.weight = _uniform(members * n_numbers, waves, n_outputs, bound=bound)
        self.bias = _uniform(members * n_numbers, 1, n_outputs, bound=bound)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (k, b, p + p n_outputs), of (k, b, p): the numbers first."""
        k, _, p, waves = self.frequency.shape
        b = x.shape[1]
        angles = torch.addcmul(self.phase, x[..., None], self.frequency)
        flat = torch.cos(angles).transpose(1, 2).reshape(k * p, b, waves)
        sums = torch.baddbmm(self.bias, flat, self.weight).reshape(k, p, b, self.n_outputs)
        return torch.cat([x, sums.transpose(1, 2).reshape(k, b, p * self.n_outputs)], dim=2)


class CategoryEmbedding(nn.Module):
    """A few learned numbers for each level of a category, and for each member.

    The last level stands for none of the others and begins at zero, where it stays if
    training has no such row.

    Parameters
    ----------
    members, n_levels, n_outputs
        k, levels without the last one, and numbers for each.
    """

    def __init__(self, members: int, n_levels: int, n_outputs: int) -> None:
        super().__init__()
        table = torch.randn(members, n_levels + 1, n_outputs) * 0.3
        table[:, -1] = 0.0
        self.table = nn.Parameter(table)

    def forward(self, codes: Tensor) -> Tensor:
        """Shape (k, b, n_outputs), of codes of shape (k, b)."""
        members = torch.arange(self.table.shape[0])[:, None]
        return self.table[members, codes]

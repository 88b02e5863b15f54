"""What is known of a formula before it is solved: a few numbers, in milliseconds.

A part of the features of Nudelman et al. (2004), Understanding random SAT: beyond the
clauses-to-variables ratio, CP.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from formulas import read_dimacs

__all__ = ["features"]


def features(path: Path) -> tuple[float, ...]:
    """Sizes, ratio, lengths of clauses, degrees and balance of variables."""
    clauses = read_dimacs(path)
    lengths = np.array([len(clause) for clause in clauses], dtype=float)
    literals = np.array([x for clause in clauses for x in clause])
    n = int(np.abs(literals).max())
    positive = np.bincount(literals[literals > 0], minlength=n + 1)[1:]
    negative = np.bincount(-literals[literals < 0], minlength=n + 1)[1:]
    degree = (positive + negative).astype(float)
    used = degree > 0
    balance = np.abs(positive - negative)[used] / degree[used]
    horn = np.mean([sum(x > 0 for x in clause) <= 1 for clause in clauses])
    numbers = [
        np.log(n), np.log(len(clauses)), len(clauses) / n,
        lengths.mean(), lengths.std(), np.mean(lengths == 2), np.mean(lengths == 3),
        degree.mean(), degree.std() / degree.mean(), degree.max() / degree.mean(),
        balance.mean(), balance.std(), horn,
    ]  # fmt: skip
    return tuple(float(number) for number in numbers)

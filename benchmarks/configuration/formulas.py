"""Formulas in conjunctive normal form, each from a family, a size and a seed: `make`.

Five families whose difficulties differ: uniform random ones at the phase transition, colouring,
parity (Tseitin), pigeons in holes, and factoring. Variables, clauses and signs are shuffled by
the seed, so that formulas of one size differ for a solver even where they are the same question.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

__all__ = ["FAMILIES", "Clauses", "make", "read_dimacs", "write_dimacs"]

Clauses = list[list[int]]


def uniform(n: int, rng: np.random.Generator) -> Clauses:
    """Uniform 3-SAT with 4.26 clauses a variable: half of them can be satisfied."""
    clauses = []
    for _ in range(round(4.26 * n)):
        variables = rng.choice(n, size=3, replace=False) + 1
        clauses.append((variables * rng.choice([-1, 1], size=3)).tolist())
    return clauses


def colouring(n: int, rng: np.random.Generator) -> Clauses:
    """Three colours for a random graph of `n` vertices and 2.3 edges a vertex."""
    clauses = [[3 * v + c for c in (1, 2, 3)] for v in range(n)]
    pairs = list(itertools.combinations(range(n), 2))
    for place in rng.choice(len(pairs), size=round(2.3 * n), replace=False):
        a, b = pairs[int(place)]
        clauses.extend([-(3 * a + c), -(3 * b + c)] for c in (1, 2, 3))
    return clauses


def parity(n: int, rng: np.random.Generator) -> Clauses:
    """Tseitin: edges of a random 3-regular graph sum to odd at a single vertex. No solution."""
    n += n % 2
    while True:  # a random matching of three stubs a vertex, without loops and double edges
        stubs = rng.permutation(np.repeat(np.arange(n), 3)).reshape(-1, 2)
        edges = {tuple(sorted(pair)) for pair in stubs.tolist()}
        if len(edges) == len(stubs) and all(a != b for a, b in edges):
            break
    number = {edge: place for place, edge in enumerate(sorted(edges), start=1)}
    clauses = []
    for vertex in range(n):
        mine = [number[edge] for edge in number if vertex in edge]
        odd = vertex == 0
        for signs in itertools.product((1, -1), repeat=3):
            # A clause forbids the assignment that falsifies it; forbid those of wrong parity.
            true = sum(sign < 0 for sign in signs)
            if (true % 2 == 1) != odd:
                clauses.append([v * s for v, s in zip(mine, signs, strict=True)])
    return clauses


def pigeons(n: int, rng: np.random.Generator) -> Clauses:
    """`n` + 1 pigeons in `n` holes. No solution."""
    at = np.arange(1, (n + 1) * n + 1).reshape(n + 1, n)
    clauses = at.tolist()
    for hole in range(n):
        clauses.extend([-int(a), -int(b)] for a, b in itertools.combinations(at[:, hole], 2))
    return clauses


def factoring(n: int, rng: np.random.Generator) -> Clauses:
    """A number of 2n bits as a product of two of `n` bits, both above one; some are prime."""
    wires = _Wires()
    a, b = [wires.new() for _ in range(n)], [wires.new() for _ in range(n)]
    total = [wires.constant(False)] * (2 * n)
    for shift, bit in enumerate(b):
        carry = wires.constant(False)
        for place, other in enumerate(a):
            both = wires.conjunction(other, bit)
            total[shift + place], carry = wires.add(total[shift + place], both, carry)
        total[shift + n] = carry
    product = _semiprime(n, rng)
    for place, wire in enumerate(total):
        wires.clauses.append([wire if product >> place & 1 else -wire])
    wires.clauses += [a[1:], b[1:]]  # neither factor is one
    return wires.clauses


def _semiprime(n: int, rng: np.random.Generator) -> int:
    p, q = rng.choice(_primes(n), size=2)
    return int(p) * int(q) + (2 if rng.random() < 0.3 else 0)  # mostly without such factors then


@lru_cache
def _primes(n: int) -> tuple[int, ...]:
    """All of exactly `n` bits."""
    odd = range(2 ** (n - 1) + 1, 2**n, 2)
    return tuple(p for p in odd if all(p % d for d in range(3, int(p**0.5) + 1, 2)))


class _Wires:
    """Gates as clauses."""

    def __init__(self) -> None:
        self.clauses: Clauses = []
        self._n = 0

    def new(self) -> int:
        self._n += 1
        return self._n

    def constant(self, value: bool) -> int:
        wire = self.new()
        self.clauses.append([wire if value else -wire])
        return wire

    def conjunction(self, a: int, b: int) -> int:
        out = self.new()
        self.clauses += [[-out, a], [-out, b], [out, -a, -b]]
        return out

    def add(self, a: int, b: int, c: int) -> tuple[int, int]:
        """Sum and carry of three bits."""
        total, carry = self.new(), self.new()
        for signs in itertools.product((1, -1), repeat=3):
            inputs = [-s * w for s, w in zip(signs, (a, b, c), strict=True)]
            n_true = sum(s > 0 for s in signs)
            self.clauses.append([*inputs, total if n_true % 2 else -total])
        for x, y in ((a, b), (a, c), (b, c)):
            self.clauses += [[-x, -y, carry], [x, y, -carry]]
        return total, carry


FAMILIES: Mapping[str, Callable[[int, np.random.Generator], Clauses]] = {
    "uniform": uniform,
    "colouring": colouring,
    "parity": parity,
    "pigeons": pigeons,
    "factoring": factoring,
}


def make(family: str, size: int, seed: int) -> Clauses:
    """The formula of a family, shuffled."""
    rng = np.random.default_rng([list(FAMILIES).index(family), size, seed])
    clauses = FAMILIES[family](size, rng)
    n = max(abs(literal) for clause in clauses for literal in clause)
    names = rng.permutation(n) + 1
    signs = rng.choice([-1, 1], size=n)
    shuffled = [
        [int(np.sign(x)) * int(signs[abs(x) - 1]) * int(names[abs(x) - 1]) for x in clause]
        for clause in clauses
    ]
    return [shuffled[place] for place in rng.permutation(len(shuffled))]


def write_dimacs(clauses: Clauses, path: Path) -> None:
    """As a file that solvers read."""
    n = max(abs(literal) for clause in clauses for literal in clause)
    lines = [f"p cnf {n} {len(clauses)}", *(" ".join(map(str, [*c, 0])) for c in clauses)]
    path.write_text("\n".join(lines) + "\n")


def read_dimacs(path: Path) -> Clauses:
    """The clauses of a file."""
    words: list[str] = []
    for line in path.read_text().splitlines():
        if line.startswith("%"):  # the end, in some collections
            break
        if not line.startswith(("c", "p")):
            words.extend(line.split())
    clauses: Clauses = [[]]
    for word in words:
        if word == "0":
            clauses.append([])
        else:
            clauses[-1].append(int(word))
    return [clause for clause in clauses if clause]

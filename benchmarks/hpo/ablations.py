"""Octavo's optimizers with one ingredient left out, as systems of the benchmark.

    python benchmarks/hpo/run.py --out ablations.csv --seeds 0-4 \
        --systems octavo:gaussian-process,octavo:gaussian-process/no-climbs
    python benchmarks/hpo/summarize.py --results ablations.csv

An ingredient that users can choose is left out by its setting, any other by exchanging the piece
of code that it is, for as long as the system is in use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from octavo.optimizers import gaussian_process, processes, recipe
from octavo.optimizers.portfolio import Portfolio
from octavo.optimizers.protocol import Recipe
from octavo.surrogates import fitting, kernel, parameters

__all__ = ["ablated"]

Exchange = tuple[Any, str, Any]  # where, which name, what instead

_undo: list[Exchange] = []


def ablated(name: str) -> Recipe:
    """The recipe "base/variant" or "base"; undoes what an earlier variant exchanged."""
    while _undo:
        where, attribute, original = _undo.pop()
        setattr(where, attribute, original)
    base, _, variant = name.partition("/")
    whole = recipe(base)
    if not variant:
        return whole
    variants = _VARIANTS.get(base, {})
    if variant not in variants:
        raise SystemExit(f"{base!r} has no variant {variant!r}. It has: {', '.join(variants)}.")
    changed, exchanges = variants[variant](whole)
    for where, attribute, instead in exchanges:
        _undo.append((where, attribute, getattr(where, attribute)))
        setattr(where, attribute, instead)
    return changed


Variant = Callable[[Any], tuple[Recipe, list[Exchange]]]


def _with(**settings: Any) -> Variant:
    return lambda whole: (replace(whole, **settings), [])


def _exchanging(*exchanges: Exchange) -> Variant:
    return lambda whole: (whole, list(exchanges))


_WINSORIZED, _LOGARITHMIC = gaussian_process._SCALES
_prior = parameters.prior


def _prior_of_one_dimension(layout: Any) -> Any:
    """The prior of the parameters as if there were a single hyperparameter."""
    mean, spread = _prior(layout)
    p, q = len(layout.number_names), len(layout.category_names)
    width = np.log(max(1, len(layout.ordered) + q))
    mean = mean.copy()
    mean[:p] -= 0.5 * width
    mean[p : p + q] += width
    return mean, spread


class _Imputed(kernel.Layout):
    """Inactive numbers are in the middle, and nothing tells them from active ones."""

    def __init__(self, columns: Any, seen: Any, **settings: Any) -> None:
        super().__init__(columns, np.nan_to_num(seen, nan=0.5), **settings)


_VARIANTS: Mapping[str, Mapping[str, Variant]] = {
    "gaussian-process": {
        "log-costs-only": _exchanging((gaussian_process, "_SCALES", (_LOGARITHMIC,))),
        "winsorized-costs-only": _exchanging((gaussian_process, "_SCALES", (_WINSORIZED,))),
        "two-scales-at-once": _exchanging((gaussian_process, "_FEW", 0)),
        "input-warping": _with(input_warping=True),
        "no-climbs": _with(n_climbs=0),
        "plain-improvement": _with(acquisition="ei"),
        "no-activity": _exchanging((gaussian_process, "Layout", _Imputed)),
        "no-dimension-scaling": _exchanging(
            (parameters, "prior", _prior_of_one_dimension),
            (fitting, "prior", _prior_of_one_dimension),
        ),
        "fitted-at-every-trial": _exchanging((processes, "_GROWTH", 10**9)),
        "design-of-20": _with(n_initial=20),
    },
    "sawei": {
        "fixed-weight": _with(step=0.0),
    },
    "tpe": {
        "one-in-four-good": _with(good_share=0.25),
    },
    "portfolio": {
        "without-forest": lambda whole: (_without(whole, 1), []),
        "without-tpe": lambda whole: (_without(whole, 2), []),
    },
}


def _without(whole: Portfolio, member: int) -> Portfolio:
    turns = [0 if turn == member else turn for turn in whole.turns]
    return replace(whole, turns=turns)

"""Which of the data sets that are known are like a new one, and what to try first there.

Data sets are points by their meta-features, each scaled to unit spread over those that are
known. Two orders for a portfolio's members follow: each nearest data set's best member, one
after the other (Feurer 2015), or the greedy order in which near data sets count more. Whether
either is better than the order for everybody has to be found out on data sets that were left
out (`octavo.transfer.left_out`).

Feurer, Springenberg & Hutter (2015), Initializing Bayesian Hyperparameter Optimization via
Meta-Learning, AAAI. Perrone, Jenatton, Seeger & Archambeau (2018), Scalable Hyperparameter
Transfer Learning, NeurIPS 31.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from octavo.errors import DataError, SettingError
from octavo.numerics.ranks import rank_correlation
from octavo.transfer.evaluations import filled_seconds
from octavo.transfer.greedy import anytime_order, greedy_order
from octavo.transfer.portfolio import Portfolio

__all__ = ["distances", "learned_weights", "near_counts_more", "nearest_first"]

Floats = NDArray[np.float64]

_ENDLESS = 1e12  # seconds: longer than any deadline
Features = Mapping[str, float]
Weights = Mapping[str, float]

_LEAST_SHARED = 5  # configurations that two data sets must share to be compared


def distances(
    known: Sequence[Features], new: Features, *, weights: Weights | None = None
) -> Floats:
    """How far each known data set is from a new one.

    The root of the weighted mean of squared differences, over the features that both have; a
    feature counts in units of its standard deviation among the known data sets, and not at all
    if it is the same for all of them.

    Parameters
    ----------
    known
        Meta-features of each known data set.
    new
        Those of the new one. NaN, or absent: not known.
    weights
        How much each feature counts, at least 0; those that are not named count 0. None: all
        alike.

    Returns
    -------
    shape (n,)
        At least 0; inf where nothing can be compared.

    Raises
    ------
    DataError
        Without known data sets.

    Examples
    --------
    >>> distances([{"log_rows": 4.0}, {"log_rows": 8.0}], {"log_rows": 5.0})
    array([0.5, 1.5])
    """
    if not known:
        raise DataError(
            "no data set is known that a new one could be like. Use a portfolio that keeps the "
            "data sets it was learned from."
        )
    names, scaled, place = _scaled(known, new)
    if weights is None:
        shares = np.ones(len(names))
    else:
        shares = np.array([weights.get(name, 0.0) for name in names])
        if (shares < 0).any() or not np.isfinite(shares).all():
            raise SettingError(
                f"weights={dict(weights)!r:.200} has values below 0, or none at all. Give how "
                "much each feature counts, at least 0."
            )
    return _apart(scaled, place, shares)


def nearest_first(
    portfolio: Portfolio, features: Features, *, weights: Weights | None = None
) -> list[int]:
    """The order of members that takes the best one of each data set, nearest first.

    What no data set likes best follows in the portfolio's own order.

    Parameters
    ----------
    portfolio
        With its sources.
    features, weights
        See `distances`.

    Returns
    -------
    Places of all members.
    """
    away = distances([source.features for source in portfolio.sources], features, weights=weights)
    costs = np.where(np.isnan(portfolio.costs), np.inf, portfolio.costs)
    # Equally far data sets as in the portfolio, and equally good members too.
    liked = [int(np.argmin(costs[row])) for row in np.argsort(away, kind="stable")]
    return list(dict.fromkeys([*liked, *range(len(portfolio))]))


def near_counts_more(
    portfolio: Portfolio,
    features: Features,
    *,
    reach: float = 0.5,
    weights: Weights | None = None,
    seconds: Sequence[float] | None = None,
    deadline: float | None = None,
) -> list[int]:
    """The greedy order of members in which a data set counts less the farther it is.

    Parameters
    ----------
    portfolio
        With its sources.
    features, weights
        See `distances`.
    reach
        At this distance beyond the nearest data set a data set counts 1/e of it; inf gives the
        order for everybody.
    seconds : shape (members,)
        That each will take on the new data set, as far as is known (NaN or inf where not at all);
        by default what each took on the others.
    deadline
        After so many seconds nothing counts; by default that for which the portfolio was built.

    Returns
    -------
    Places of all members: those that help nowhere near follow in the portfolio's own order. A
    portfolio that was built for deadlines is ordered for the same ones.

    Raises
    ------
    SettingError
        If `reach` is not positive.
    """
    if not reach > 0:
        raise SettingError(f"reach={reach!r} must be more than 0. Give such as 0.5.")
    away = distances([source.features for source in portfolio.sources], features, weights=weights)
    groups = [source.group for source in portfolio.sources]
    shares = np.array([1.0 / groups.count(group) for group in groups])
    if np.isfinite(away).any():
        shares *= np.exp(-(away - away.min()) / reach)
    shares /= shares.sum()
    deadlines, taken = portfolio.origin.get("deadlines_s"), portfolio.seconds
    if deadlines is None or not np.isfinite(taken).any():
        order = greedy_order(portfolio.costs, len(portfolio), weights=shares)
    else:
        low, high = deadlines[0], deadlines[1] if deadline is None else deadline
        taken = filled_seconds(taken)
        if seconds is not None:
            here = np.nan_to_num(np.asarray(seconds, float), nan=_ENDLESS, posinf=_ENDLESS)
            taken = np.broadcast_to(here, taken.shape)
        order = anytime_order(
            portfolio.costs,
            taken,
            len(portfolio),
            deadlines=(min(low, high / 2), high),
            weights=shares,
        )
    return list(dict.fromkeys([*order, *range(len(portfolio))]))


def learned_weights(known: Sequence[Features], costs: Floats) -> dict[str, float]:
    """How much each meta-feature says about which configurations are good.

    Two data sets are as different as the ranks of their configurations: (1 - Spearman's
    coefficient) / 2. The squared differences of features are fitted to that over all pairs of
    data sets by least squares without negative weights (and a constant, since no two data sets
    agree wholly).

    Parameters
    ----------
    known
        Meta-features of each data set.
    costs : shape (n, m)
        Of configurations on each data set; NaN where unknown. Only ranks within a row count.

    Returns
    -------
    dict
        Weights by feature, in sum 1; all alike if no feature explains anything.

    Raises
    ------
    DataError
        If fewer than three pairs of data sets share configurations.
    """
    names, scaled, _ = _scaled(known, known[0] if known else {})
    apart, different = [], []
    for a in range(len(known)):
        for b in range(a + 1, len(known)):
            shared = ~np.isnan(costs[a]) & ~np.isnan(costs[b])
            if shared.sum() >= _LEAST_SHARED:
                gap = np.square(scaled[a] - scaled[b])
                apart.append(np.where(np.isnan(gap), 0.0, gap))
                agreement = rank_correlation(costs[a, shared], costs[b, shared])
                different.append((1.0 - agreement) / 2)
    if len(apart) < 3:
        raise DataError(
            f"only {len(apart)} pairs of data sets share at least {_LEAST_SHARED} configurations. "
            "Weights need three or more; leave them out."
        )
    design = np.column_stack([np.ones(len(apart)), np.array(apart)])
    found, _ = nnls(design, np.array(different))
    shares = found[1:]
    if shares.sum() <= 0:
        shares = np.ones(len(names))
    return {name: float(w) for name, w in zip(names, shares / shares.sum(), strict=True)}


def _scaled(known: Sequence[Features], new: Features) -> tuple[list[str], Floats, Floats]:
    """Names of the features that differ, and the data sets by them, in standard deviations."""
    names = list(dict.fromkeys(name for features in known for name in features))
    table = np.array([[f.get(name, np.nan) for name in names] for f in known], dtype=float)
    table = table.reshape(len(known), len(names))
    place = np.array([new.get(name, np.nan) for name in names], dtype=float)
    known_cells = ~np.isnan(table)
    counts = np.maximum(known_cells.sum(axis=0), 1)
    mean = np.where(known_cells, table, 0.0).sum(axis=0) / counts
    spread = np.sqrt(np.where(known_cells, np.square(table - mean), 0.0).sum(axis=0) / counts)
    tells = spread > 1e-9 * np.maximum(np.abs(mean), 1e-9)
    kept = [name for name, telling in zip(names, tells, strict=True) if telling]
    return (
        kept,
        ((table - mean) / np.where(tells, spread, 1.0))[:, tells],
        ((place - mean) / np.where(tells, spread, 1.0))[tells],
    )


def _apart(scaled: Floats, place: Floats, shares: Floats) -> Floats:
    gap = np.square(scaled - place)
    counts = np.where(np.isnan(gap), 0.0, shares)
    total = counts.sum(axis=1)
    weighted = (np.where(np.isnan(gap), 0.0, gap) * counts).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, np.sqrt(weighted / total), np.inf)

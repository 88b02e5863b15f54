"""Random forests and extremely randomized trees, grown in batches until done or the deadline.

Breiman (2001), Random Forests; Geurts, Ernst & Wehenkel (2006), Extremely Randomized Trees.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from octavo.spaces import Categorical, Float, Hyperparameter, Integer
from octavo.tabular.models.contributions import Contributions, of_forest
from octavo.tabular.models.family import Config, Family, Floats, Matrix, Shape, in_time
from octavo.tabular.models.packed_trees import pack, unpack

__all__ = ["EXTRA_TREES", "RANDOM_FOREST"]

_ROWS_OF_A_THREAD = 1000  # fewer are not worth one
_BYTES_OF_A_FOREST = 300e6  # trees of many rows and classes are bounded in depth to fit


class ForestModel:
    """A scikit-learn forest."""

    def __init__(
        self, config: Config, shape: Shape, *, seed: int, n_threads: int, is_extra: bool
    ) -> None:
        self.config = dict(config)
        self.shape = shape
        self.seed = seed
        self.n_threads = n_threads
        self.is_extra = is_extra

    def fit(
        self,
        X: Matrix,
        y: NDArray[Any],
        *,
        sample_weight: Floats | None,
        categorical: Sequence[int],
        deadline: float,
    ) -> None:
        """Grow trees, a batch at a time; the same trees whatever the batches."""
        in_time(deadline, "the forest")
        forest = self._forest(len(y))
        started = time.monotonic()
        wanted = self.config["n_trees"]
        batch = min(wanted, self.n_threads)
        grown = 0
        while grown < wanted:
            forest.set_params(n_estimators=min(wanted, grown + batch))
            forest.fit(X, y, sample_weight=sample_weight)
            grown = forest.n_estimators
            per_tree = (time.monotonic() - started) / grown
            left = deadline - time.monotonic()
            fitting = left / per_tree
            if fitting < self.n_threads:
                break
            # At most a quarter of what seems to fit: the estimate is rough at first.
            batch = max(self.n_threads, int(min(fitting / 4, 64.0)))
            batch -= batch % self.n_threads
        self.forest_ = forest

    def predict(self, X: Matrix) -> NDArray[Any]:
        """Probabilities, or numbers."""
        given = np.ascontiguousarray(X, dtype=np.float32)
        n_parts = int(np.clip(len(given) // _ROWS_OF_A_THREAD, 1, self.n_threads))
        if n_parts == 1:
            total = self._summed(given)
        else:
            with ThreadPoolExecutor(n_parts) as pool:
                total = np.concatenate(list(pool.map(self._summed, np.array_split(given, n_parts))))
        n = len(self.forest_.estimators_)
        if not self.shape.is_classification:
            return total[:, 0] / n
        # One more tree that knows nothing: no probability is zero.
        return (total + 1.0 / self.shape.n_classes) / (n + 1)

    def _summed(self, X: Matrix) -> NDArray[np.float64]:
        """What the trees say, added up, shape (n, K or 1).

        As the forest itself would, but that asks each tree in a task of its own and waits in
        steps of 10 ms: 60 ms for 100 rows and 250 trees, which this answers in 5.
        """
        total: NDArray[np.float64] = sum(one.tree_.predict(X) for one in self.forest_.estimators_)
        return total

    @property
    def knows_its_rows(self) -> bool:
        """Whether it has contributions: forests that earlier versions saved do not."""
        return bool(self.forest_.estimators_[0].tree_.weighted_n_node_samples.any())

    def contributions(self, X: Matrix) -> Contributions:
        """Shapley values of the columns."""
        found = of_forest(self.forest_.estimators_, X, is_classifier=self.shape.is_classification)
        if not self.shape.is_classification:
            return found
        n, k = self.forest_.n_estimators, self.shape.n_classes
        base = (found.base * n + 1.0 / k) / (n + 1)  # with the tree that knows nothing
        return replace(found, base=base, values=found.values * n / (n + 1))

    def __getstate__(self) -> dict[str, Any]:
        """Without what only growing needs."""
        state = dict(self.__dict__)
        if "forest_" in state:
            state["forest_"] = pack(state["forest_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """The forest as scikit-learn has it."""
        self.__dict__.update(state)
        if "forest_" in state:
            self.forest_ = unpack(state["forest_"])

    @property
    def size(self) -> int:
        """Leaves of all trees."""
        return int(sum(tree.tree_.n_leaves for tree in self.forest_.estimators_))

    def _forest(self, n_rows: int) -> Any:
        from sklearn import ensemble

        config = self.config
        kind = ("ExtraTrees" if self.is_extra else "RandomForest") + (
            "Classifier" if self.shape.is_classification else "Regressor"
        )
        return getattr(ensemble, kind)(
            max_features=config["column_share"],
            min_samples_leaf=config["min_rows_in_leaf"],
            max_leaf_nodes=_most_leaves(self.shape, n_rows, config),
            bootstrap=config["bootstrap"],
            criterion=config.get("criterion", "squared_error"),
            monotonic_cst=list(self.shape.directions) if self.shape.is_monotone else None,
            n_jobs=self.n_threads,
            random_state=self.seed,
            warm_start=True,
        )


def _most_leaves(shape: Shape, n_rows: int, config: Config) -> int | None:
    """How many leaves a tree may have for the forest to stay small; None for any number."""
    bytes_per_leaf = 2 * (64 + 8 * shape.n_classes)
    most = int(_BYTES_OF_A_FOREST / (config["n_trees"] * bytes_per_leaf))
    # Asking for a bound makes trees grow best-first, which is slower: only if it binds.
    return max(16, most) if n_rows / config["min_rows_in_leaf"] > most else None


def build_random_forest(config: Config, shape: Shape, *, seed: int, n_threads: int) -> ForestModel:
    """A random forest."""
    return ForestModel(config, shape, seed=seed, n_threads=n_threads, is_extra=False)


def build_extra_trees(config: Config, shape: Shape, *, seed: int, n_threads: int) -> ForestModel:
    """Extremely randomized trees."""
    return ForestModel(config, shape, seed=seed, n_threads=n_threads, is_extra=True)


def _space(shape: Shape, *, is_extra: bool) -> dict[str, Hyperparameter]:
    d = shape.width("trees")
    usual = min(1.0, max(0.05, d**-0.5 if shape.is_classification else 0.5))
    most = max(2, min(40, shape.n_rows // 20))
    found: dict[str, Hyperparameter] = {
        "n_trees": Integer(50, 300, step=50, default=100 if shape.n_rows > 10_000 else 150),
        "column_share": Float(0.05, 1.0, log=True, default=usual),
        "min_rows_in_leaf": Integer(1, most, log=True, default=1 if shape.is_classification else 2),
        "bootstrap": Categorical([not is_extra, is_extra]),
    }
    if shape.is_classification:
        found["criterion"] = Categorical(["gini", "entropy"])
    return found


def random_forest_space(shape: Shape) -> dict[str, Hyperparameter]:
    """What is searched."""
    return _space(shape, is_extra=False)


def extra_trees_space(shape: Shape) -> dict[str, Hyperparameter]:
    """What is searched."""
    return _space(shape, is_extra=True)


def defaults(shape: Shape) -> list[dict[str, Any]]:
    """Deep trees; then entropy or larger leaves, as the portfolios of AutoGluon have them."""
    if shape.is_classification:
        return [{}, {"criterion": "entropy"}]
    return [{}, {"min_rows_in_leaf": min(5, max(2, shape.n_rows // 20)), "column_share": 1.0}]


def terms_random_forest(config: Config, shape: Shape) -> tuple[float, ...]:
    """Trees; sorted values (1e9); leaves' statistics (1e9)."""
    n, d = shape.n_rows, shape.width("trees")
    depth = np.log2(2 + n / config["min_rows_in_leaf"])
    tried = max(1.0, d * config["column_share"])
    share = 0.63 if config["bootstrap"] else 1.0
    sorts = config["n_trees"] * n * share * tried * depth * np.log2(2 + n) / 10
    leaves = config["n_trees"] * n * share / config["min_rows_in_leaf"] * shape.n_classes
    return config["n_trees"] * 1e-3, sorts * 1e-9, leaves * 1e-9


def terms_extra_trees(config: Config, shape: Shape) -> tuple[float, ...]:
    """Trees; visited values (1e9); leaves' statistics (1e9)."""
    trees, sorts, leaves = terms_random_forest(config, shape)
    return trees, sorts / np.log2(2 + shape.n_rows) * 10, leaves


def memory_mb(config: Config, shape: Shape) -> float:
    """The rows and the nodes of all trees."""
    nodes = 2 * shape.n_rows / config["min_rows_in_leaf"] * config["n_trees"]
    trees = min(_BYTES_OF_A_FOREST, float(nodes) * (64 + 8 * shape.n_classes))
    return float(40 + (shape.n_rows * shape.width("trees") * 8 + trees) / 2**20)


def describe(config: Config) -> str:
    """Number of trees, columns tried, size of leaves."""
    return (
        f"{config['n_trees']} trees, {config['column_share']:.0%} of columns, "
        f"leaves of {config['min_rows_in_leaf']}+"
    )


RANDOM_FOREST = Family(
    name="random_forest",
    title="Random forest",
    preprocessing="trees",
    space=random_forest_space,
    defaults=defaults,
    build=build_random_forest,
    terms=terms_random_forest,
    prices=(1.2, 21.0, 0.98),
    parallel=0.8,
    memory_mb=memory_mb,
    describe=describe,
    keeps_directions=True,
)

EXTRA_TREES = Family(
    name="extra_trees",
    title="Extra trees",
    preprocessing="trees",
    space=extra_trees_space,
    defaults=defaults,
    build=build_extra_trees,
    terms=terms_extra_trees,
    prices=(0.81, 9.4, 1.1),
    parallel=0.8,
    memory_mb=memory_mb,
    describe=describe,
    keeps_directions=True,
)

import numpy as np
import pytest

from octavo.optimizers.random_search import RandomSearch
from octavo.optimizers.sobol import Sobol, SobolPoints
from octavo.problem import Problem
from octavo.spaces import Categorical, Float, space
from octavo.testing import answer, live


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_elementary_box_holds_one_point(seed: int) -> None:
    # A (0, 5, 2)-net in base 2: each of the 32 boxes of any shape 2^-k x 2^(k-5) has one point.
    points = SobolPoints(2, seed)
    net = np.array([points.at(index) for index in range(32)])
    for k in range(6):
        boxes = {(int(x * 2**k), int(y * 2 ** (5 - k))) for x, y in net}
        assert len(boxes) == 32
    # Any later aligned block of 32 is such a net, too, also beyond what is kept in memory.
    later = np.array([points.at(index) for index in range(1024, 1056)])
    assert len({(int(x * 8), int(y * 4)) for x, y in later}) == 32


def test_points_are_reached_in_any_order() -> None:
    forward, backward = SobolPoints(3, 7), SobolPoints(3, 7)
    indices = [0, 5, 300, 255, 256, 10_000]
    first = [forward.at(index) for index in indices]
    second = [backward.at(index) for index in reversed(indices)][::-1]
    assert np.array_equal(first, second)


def test_proposals_fill_the_space_more_evenly_than_chance() -> None:
    problem = Problem(space(x=Float(0, 1), y=Float(0, 1)))

    def filled(recipe) -> int:
        proposals = recipe.start(problem, seed=0).ask(64)
        return len({(int(8 * p.config["x"]), int(8 * p.config["y"])) for p in proposals})

    assert filled(Sobol()) == 64
    assert filled(RandomSearch()) < 55


def test_seeds_scramble_differently() -> None:
    assert not np.allclose(SobolPoints(2, 0).at(3), SobolPoints(2, 1).at(3))


@pytest.mark.parametrize("n_dims", [0, 21202])
def test_without_direction_numbers_there_are_no_points(n_dims: int) -> None:
    assert SobolPoints(n_dims, 0).at(0) is None


def test_repeated_points_become_random_ones_until_all_are_tried() -> None:
    problem = Problem(space(a=Categorical(list(range(7))), b=Categorical(["p", "q"])))
    proposals = Sobol().start(problem, seed=0).ask(20)
    assert len({tuple(p.config.values()) for p in proposals}) == len(proposals) == 14
    assert proposals[0].origin.intent == "point 0"
    assert any(p.origin.intent == "uniform draw" for p in proposals)


def test_the_point_is_the_index_whatever_was_told_in_between() -> None:
    problem = Problem(space(x=Float(0, 1)))
    at_once = Sobol().start(problem, seed=3).ask(20)
    moments = list(live(Sobol().start(problem, seed=3), problem, n=20, workers=4, respond=answer))
    assert [m.proposal for m in moments] == at_once

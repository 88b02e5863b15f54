"""Where rungs are, for fidelities of all kinds, and what is refused."""

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from octavo.errors import ProblemError, SettingError
from octavo.optimizers import WHERE, recipe
from octavo.problem import Fidelity, Problem
from octavo.schedulers.hyperband import Hyperband
from octavo.schedulers.ladder import levels
from octavo.spaces import Float, space

LINE = space(x=Float(0, 1))
SCHEDULERS = [
    name
    for name, (module, _) in WHERE.items()
    if ".schedulers." in module
    and name not in ("freeze-thaw", "racing", "irace")  # which do without a fidelity
]


@given(
    low=st.floats(1e-3, 1e3), ratio=st.floats(2, 1e5), eta=st.floats(1.5, 10), whole=st.booleans()
)
def test_levels_rise_by_eta_to_the_full_budget(low, ratio, eta, whole):
    if whole:
        low, ratio = round(low) + 1, round(ratio)
    fidelity = Fidelity("f", low, low * ratio)
    if fidelity.high / fidelity.low < eta:
        with pytest.raises(ProblemError, match="no cheaper rung"):
            levels(fidelity, eta)
        return
    found = levels(fidelity, eta)
    assert found[-1] == fidelity.high and found[0] >= fidelity.low
    assert found[0] < fidelity.low * eta * (1 + 1e-6) + 1
    assert all(a < b for a, b in pairwise(found))
    if fidelity.integer:
        assert all(value == int(value) for value in found)
    else:
        ratios = [b / a for a, b in pairwise(found)]
        assert ratios == pytest.approx([eta] * len(ratios))


def test_linear_fidelities_are_spread_evenly_and_may_start_at_zero():
    assert levels(Fidelity("share", 0.1, 1.0, log=False), 3) == pytest.approx((0.1, 0.55, 1.0))
    assert levels(Fidelity("rows", 0, 300, log=False), 3) == (0, 100, 200, 300)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_problem_without_a_fidelity_is_refused_with_advice(name):
    with pytest.raises(ProblemError, match=r"no fidelity.*octavo\.Fidelity\('epochs', 1, 81\)"):
        recipe(name).start(Problem(LINE), seed=0)


def test_a_fidelity_without_room_for_a_second_rung_is_refused():
    with pytest.raises(ProblemError, match=r"'epochs' goes from 5 to 9.*eta times low.*3 or less"):
        Hyperband().start(Problem(LINE, fidelity=Fidelity("epochs", 5, 9)), seed=0)


@pytest.mark.parametrize("eta", [1, 0, -3, float("nan"), float("inf"), True, "3"])
def test_an_eta_that_narrows_nothing_is_refused(eta):
    with pytest.raises(SettingError, match="eta="):
        Hyperband(eta=eta)


def test_a_fidelity_from_zero_to_one_is_a_share():
    assert Fidelity("share", 0, 1, log=False).integer is False
    assert Fidelity("share", 0, 1, log=False, integer=True).integer is True
    assert Fidelity("folds", 0, 10, log=False).integer is True

"""Portfolios: built, written, read, and brought into a space."""

import json

import numpy as np
import pytest

import octavo
from octavo.errors import DataError, SettingError, StorageError
from octavo.spaces import Believed, Categorical, Float, Integer, Product, space
from octavo.transfer import Evaluations, Portfolio, build_portfolio, load_portfolio
from octavo.transfer.adapting import adapted
from octavo.transfer.portfolio import Source

INF, NAN = np.inf, np.nan


def seen(**more):
    costs = [[0.1, 0.3, 0.2, INF], [9.0, 5.0, 7.0, 6.0], [2.0, 1.0, NAN, 3.0]]
    seconds = [[1.0, 50.0, 2.0, 60.0], [3.0, 40.0, 2.0, 30.0], [1.0, 80.0, NAN, 1.0]]
    configs = [{"x": i / 4, "kind": "ab"[i % 2]} for i in range(4)]
    return Evaluations(
        ["one", "two", "three"], configs, costs, seconds=seconds,
        features=[{"log_rows": 3.0}, {"log_rows": 8.0}, {"log_rows": NAN}], **more,
    )  # fmt: skip


def test_a_portfolio_survives_its_file(tmp_path):
    built = build_portfolio(seen(), deadlines=(1, 100), about={"made_by": "a test"})
    path = built.save(tmp_path / "deep" / "portfolio.json")
    read = load_portfolio(path)
    assert read.members == built.members
    assert read.origin == built.origin
    assert read.to_json() == built.to_json()
    assert read.costs == pytest.approx(built.costs, rel=1e-3, nan_ok=True)
    json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_where_it_comes_from_is_told_entry_by_entry():
    predicted = np.zeros((3, 4), bool)
    predicted[0, :3] = True
    origin = build_portfolio(seen(predicted=predicted, groups=["g", "g", "h"])).origin
    assert (origin["n_datasets"], origin["n_groups"], origin["n_configurations"]) == (3, 2, 4)
    shares = [origin[f"share_{word}"] for word in ("measured", "predicted", "failed", "unknown")]
    assert shares == pytest.approx([7 / 12, 3 / 12, 1 / 12, 1 / 12], abs=1e-4)
    assert origin["mean_cost"] == sorted(origin["mean_cost"], reverse=True)


def test_by_time_the_quick_come_first():
    by_count = build_portfolio(seen()).members
    by_time = build_portfolio(seen(), deadlines=(1, 100)).members
    assert by_count[0] == {"x": 0.25, "kind": "b"}  # best on average, and slow
    assert by_time[0] == {"x": 0.0, "kind": "a"}


def test_size_is_a_limit():
    assert len(build_portfolio(seen(), size=1)) == 1
    assert build_portfolio(seen(), size=1).members[0] == build_portfolio(seen()).members[0]
    for size in (0, -1, 1.5, True, "3"):
        with pytest.raises(SettingError, match="size="):
            build_portfolio(seen(), size=size)


def test_deadlines_before_which_nothing_ends_are_refused():
    with pytest.raises(DataError, match=r"within 0\.01 s.*later deadline"):
        build_portfolio(seen(), deadlines=(0.001, 0.01))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "recipe"}, "describes no portfolio"),
        ({"version": 99}, "version=99.*Update Octavo"),
        ({"members": []}, "0 members"),
        ({"sources": [{"name": "a"}]}, "incomplete or malformed: it has no 'group'"),
        ({"members": [1, 2]}, "incomplete or malformed"),
    ],
)
def test_a_file_that_holds_no_portfolio_is_refused(change, sentence, tmp_path):
    path = tmp_path / "p.json"
    path.write_text(json.dumps(build_portfolio(seen()).to_json() | change))
    with pytest.raises(DataError, match=sentence) as caught:
        load_portfolio(path)
    assert str(path) in str(caught.value)


def test_files_that_cannot_be_read_or_written_are_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.json' cannot be read"):
        load_portfolio(tmp_path / "nowhere.json")
    (tmp_path / "text.json").write_text("model: lightgbm")
    with pytest.raises(DataError, match=r"text\.json' is no JSON"):
        load_portfolio(tmp_path / "text.json")
    with pytest.raises(StorageError, match="could not be written"):
        Portfolio(({"x": 1},)).save(tmp_path)


def test_each_source_speaks_of_each_member():
    with pytest.raises(DataError, match=r"'a' has 1 costs for 2\s+members"):
        Portfolio(({"x": 1}, {"x": 2}), (Source("a", "a", {}, (0.1,), (1.0, 2.0)),))


# In a space --------------------------------------------------------------------------------

HERE = space(
    model=Categorical(["tree", "line"]),
    depth=Integer(2, 9, default=4).when(model="tree"),
    step=Integer(0, 12, step=3, default=3).when(model="tree"),
    rate=Float(1e-3, 1.0, log=True, default=0.1).when(model="line"),
    kind=Categorical(["l1", "l2"], default="l2").when(model="line"),
)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"model": "tree", "depth": 3, "step": 6}, {"model": "tree", "depth": 3, "step": 6}),
        ({"model": "tree", "depth": 99, "step": 7}, {"model": "tree", "depth": 9, "step": 6}),
        ({"model": "tree", "rate": 0.5}, {"model": "tree", "depth": 4, "step": 3}),
        ({"model": "line", "rate": 9, "kind": "l7", "text": "svd"},
         {"model": "line", "rate": 1.0, "kind": "l2"}),
        ({"model": "line", "rate": "fast"}, {"model": "line", "rate": 0.1, "kind": "l2"}),
        ({"depth": 3}, {"model": "tree", "depth": 3, "step": 3}),
        ({"model": "net"}, None),
    ],
)  # fmt: skip
def test_configurations_are_completed_moved_or_dropped(given, found):
    assert adapted([given], HERE) == [found]
    if found is not None:
        HERE.check(found)
        assert adapted([found], HERE) == [found]
        assert adapted([given], Believed(HERE, [found])) == [found]


def test_what_is_forbidden_has_no_counterpart():
    here = space({"a": Integer(0, 9), "b": Integer(0, 9, default=5)}, forbid=["a > b"])
    assert adapted([{"a": 3}, {"a": 8}], here) == [{"a": 3, "b": 5}, None]


def test_every_configuration_of_a_space_is_its_own_counterpart():
    configs = HERE.decode(HERE.sample(50, np.random.default_rng(0)))
    assert adapted(configs, HERE) == configs
    assert adapted([], HERE) == []


def test_in_other_spaces_a_configuration_is_valid_or_not():
    both = Product({"left": HERE, "right": space(x=Float(0, 1))})
    good = both.default()
    assert adapted([good, {"left": 1}], both) == [good, None]


def test_members_that_become_equal_are_tried_once():
    portfolio = Portfolio(({"model": "tree", "depth": 50}, {"model": "net"},
                           {"model": "tree", "depth": 9}, {"model": "line"}))  # fmt: skip
    assert [c["model"] for c in portfolio.first_in(HERE)] == ["tree", "line"]
    assert [c["model"] for c in portfolio.first_in(HERE, order=[3, 2])] == ["line", "tree"]


def test_a_search_begins_with_the_members():
    portfolio = Portfolio(({"x": 0.3, "kind": "b"}, {"x": 7.0, "kind": "a"}))
    here = octavo.space(x=octavo.Float(0, 1), kind=octavo.Categorical(["a", "b"]))
    study = octavo.minimize(
        lambda config: (config["x"] - 0.3) ** 2 + (config["kind"] == "a"),
        here, first=portfolio.first_in(here), max_trials=3, seed=0,
    )  # fmt: skip
    assert [dict(t.config) for t in study.history][:2] == [
        {"x": 0.3, "kind": "b"}, {"x": 1.0, "kind": "a"},
    ]  # fmt: skip
    assert study.best_value == 0

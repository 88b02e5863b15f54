"""Spaces in files: PCS of both kinds, irace's parameters, ConfigSpace's JSON."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from octavo.errors import SpaceError
from octavo.spaces.files import read_space_file
from octavo.spaces.formulas import Claim, Formula, normal_form, read_formula
from octavo.spaces.irace import read_irace
from octavo.spaces.pcs import read_pcs

OLD = """
# a solver, as ParamILS had it
mode {glue, luby, none} [glue]   # of restarts
base [1,1000] [100]il
decay [0.5, 0.999] [0.95]
rate [0.001, 1] [0.1]l
phase {0,1} [1]
Conditionals:
base | mode in {glue, luby}
decay | phase in {1}
decay | mode in {glue}
Forbidden:
{mode=luby, phase=0}
"""
NEW = """
mode categorical {glue, luby, none} [glue]
base integer [1,1000] [100] log
decay real [0.5, 0.999] [0.95]
rate real [0.001, 1] [0.1] log
phase categorical {0,1} [1]
base | mode != none
decay | phase == 1 && mode == glue
{mode == luby && phase == 0}
"""


def pcs(text):
    return read_pcs(Path("solver.pcs"), text)


def test_both_kinds_of_pcs_say_the_same():
    old, new = pcs(OLD), pcs(NEW)
    rng = np.random.default_rng(0)
    assert old.default() == new.default() == {
        "mode": "glue", "base": 100, "decay": 0.95, "rate": 0.1, "phase": "1"
    }  # fmt: skip
    for config in old.decode(old.sample(200, rng)):
        assert new.check(config) == config
    for config in new.decode(new.sample(200, rng)):
        assert old.check(config) == config


def test_conditions_and_forbidden_combinations_of_pcs_hold():
    space = pcs(OLD)
    for config in space.decode(space.sample(300, np.random.default_rng(1))):
        assert ("base" in config) == (config["mode"] in ("glue", "luby"))
        assert ("decay" in config) == (config["phase"] == "1" and config["mode"] == "glue")
        assert not (config["mode"] == "luby" and config["phase"] == "0")
        assert 1 <= config.get("base", 1) <= 1000 and type(config.get("base", 1)) is int


def test_choices_keep_their_spelling():
    assert pcs("x {1.0, 01, yes} [01]").default() == {"x": "01"}


def test_numbers_and_ordinals_in_conditions_are_compared():
    space = pcs("""
    level ordinal {low, mid, high} [mid]
    n integer [1,10] [5]
    m integer [1,10] [2]
    x real [0,1] [0.5]
    x | level > low && n <= 5 || n == 10
    {m > n}
    """)
    for config in space.decode(space.sample(300, np.random.default_rng(2))):
        expected = (config["level"] != "low" and config["n"] <= 5) or config["n"] == 10
        assert ("x" in config) == expected
        assert config["m"] <= config["n"]


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("x {a,b} [a]\ny [1,2]", 2, "'y [1,2]' cannot be read"),
        ("x [1,b] [1]", 1, "'b' is not a number"),
        ("x [1,2.5] [1]i", 1, "'2.5' is not a whole number"),
        ("x {a,b} [c]", 1, "not among its choices"),
        ("x [5,1] [3]", 1, "Swap the two"),
        ("x [0,1] [0.5]l", 1, "log=True but low=0"),
        ("x [0,1] [0.5]q", 1, "ends with 'q'"),
        ("x real [0,1] [0.5] lg", 1, "Write log, or nothing"),
        ("x {a} [a]\n\nx {b} [b]", 3, "first in line 1"),
        ("x {a,b} [a]\ny | x in {a}", 2, "a condition on 'y', which is not declared"),
        ("rate {a,b} [a]\ny {a,b} [a]\ny | rte == 3", 3, "Did you mean 'rate'?"),
        ("x {a,b} [a]\ny {a,b} [a]\ny | x in {c}", 3, "'x' is 'c'"),
        ("x {a,b} [a]\ny {a,b} [a]\ny | x in a}", 3, "cannot be read near '}'"),
        ("x {a,b} [a]\ny {a,b} [a]\ny | x ==", 3, "at its end"),
        ("x {a,b} [a]\n{x=c}", 2, "'x' is 'c'"),
        ("x {a,b} [a]\n{x=a", 2, "does not end with a brace"),
        ("x [0,1] [1]\ny [0,1] [0]\n{x>y, x>0.5}", 3, "which ConfigSpace cannot"),
    ],
)
def test_a_malformed_pcs_names_file_and_line(text, line, part):
    with pytest.raises(SpaceError, match=rf"^solver\.pcs:{line}: ") as error:
        pcs(text)
    assert part in str(error.value)


def test_an_empty_file_and_circles_are_refused():
    with pytest.raises(SpaceError, match="declares no hyperparameter"):
        pcs("# nothing\n")
    with pytest.raises(SpaceError, match="circle"):
        pcs("x {a,b} [a]\ny {a,b} [a]\nx | y == a\ny | x == a")


IRACE = """
# name       switch           type  values            [conditions]
algorithm    "--"             c     (as,mmas,eas,ras,acs)
localsearch  "--localsearch " c     (0, 1, 2, 3)      # "a comment"
alpha        "--alpha "       r     (0.00, 5.00)
rho          "--rho="         r,log (0.01, 1.00)
ants         "--ants "        i,log (5, 100)
q0           "--q0 "          r     (0.0, 1.0)        | algorithm == "acs"
rasrank      "--rasranks "    i     (1, 100)          | algorithm %in% c("ras", "eas") & ants > 9
[forbidden]
(algorithm == "as") & (localsearch == "0" | alpha > 4)
[global]
digits = 4
"""


def test_irace_parameters_with_switches_conditions_and_forbidden_ones():
    space, switches = read_irace(Path("parameters.txt"), IRACE)
    assert switches["algorithm"] == "--" and switches["rho"] == "--rho="
    assert len(space.names) == 7
    for config in space.decode(space.sample(300, np.random.default_rng(0))):
        assert ("q0" in config) == (config["algorithm"] == "acs")
        assert ("rasrank" in config) == (
            config["algorithm"] in ("ras", "eas") and config["ants"] > 9
        )
        assert not (
            config["algorithm"] == "as" and (config["localsearch"] == "0" or config["alpha"] > 4)
        )


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ('x "-x " q (1,2)', 1, "has the type 'q'"),
        ('x "-x " c,log (1,2)', 1, "has the type 'c,log'"),
        ("x -x r (1,2)", 1, "cannot be read"),
        ('x "-x " r (1,2,3)', 1, "where two numbers are needed"),
        ('y "-y " i (1,2)\nx "-x " i (1, 2.5)', 2, "'2.5' is not a whole number"),
        ('x "-x " i (1, 2)\n[forbiden]', 2, "Did you mean 'forbidden'?"),
        ('x "-x " i (1, 2)\n[forbidden]\nx + 3 > 2', 3, "near '+ 3 > 2'"),
        ('x "-x " i (1, 2) | y == 3', 1, "'y' is compared with 3"),
    ],
)
def test_malformed_parameters_name_file_and_line(text, line, part):
    with pytest.raises(SpaceError, match=rf"^p\.txt:{line}: ") as error:
        read_irace(Path("p.txt"), text)
    assert part in str(error.value)


def test_quoted_values_of_irace_may_hold_commas_and_parentheses():
    text = """a "-a " c ("x,y", 'f(x)', plain) | b == "2"\nb "-b " o (1, "2")"""
    space, _ = read_irace(Path("p.txt"), text)
    assert space.domains[0].choices == ("x,y", "f(x)", "plain")
    with pytest.raises(SpaceError, match=r"p\.txt:1: .*quote the whole"):
        read_irace(Path("p.txt"), """a "-a " c ("x"y, z)""")


def test_headings_of_pcs_are_written_in_many_ways():
    text = "a {x,y} [x]\nb {x,y} [x]\nHEADING\nb | a in {x}\nForbidden Combinations:\n{a=y}"
    for heading in ("Conditionals:", "conditions :", "Conditional:"):
        space = pcs(text.replace("HEADING", heading))
        assert space.default() == {"a": "x", "b": "x"}
        assert "when a == 'x'" in repr(space) and "forbidden: a == 'y'" in repr(space)


def test_a_file_of_an_editor_of_windows_is_read(tmp_path):
    (tmp_path / "X.PCS").write_bytes(b"\xef\xbb\xbfa {x,y} [x]\r\n")
    assert read_space_file(tmp_path / "X.PCS").space.names == ("a",)


def test_a_file_is_read_by_its_suffix(tmp_path):
    from ConfigSpace import ConfigurationSpace, Float

    (tmp_path / "a.pcs").write_text("x [0,1] [0.5]")
    (tmp_path / "b.txt").write_text('x "-x " r (0, 1)')
    there = ConfigurationSpace(space={"x": Float("x", (0, 1), default=0.5)})
    there.to_json(tmp_path / "c.json")
    for name in ("a.pcs", "b.txt", "c.json"):
        assert read_space_file(tmp_path / name).space.check({"x": 0.25}) == {"x": 0.25}
    assert read_space_file(tmp_path / "b.txt").switches == {"x": "-x "}


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("space.yaml", b"x: 1", "ends with '.yaml'"),
        ("space.json", b'{"a":\n\n1,}', r":3: this is not JSON"),
        ("space.json", b'{"kind": "hyperparametrs"}', "Did you mean 'hyperparameters'?"),
        ("space.pcs", b"\xff\xfe", "it is no text"),
        ("absent.pcs", None, "No such file"),
    ],
)
def test_a_file_that_holds_no_space_is_refused_by_name(tmp_path, name, content, part):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SpaceError) as error:
        read_space_file(tmp_path / name)
    assert name in str(error.value) and part in str(error.value)


names = st.sampled_from("abcd")
trees = st.recursive(
    st.builds(lambda name, value: Claim(name, "==", (value,)), names, st.sampled_from("01")),
    lambda inner: st.builds(
        lambda word, parts: Formula(word, tuple(parts)),
        st.sampled_from(["and", "or"]),
        st.lists(inner, min_size=2, max_size=3),
    ),
    max_leaves=6,
)


def written(tree):
    if isinstance(tree, Claim):
        return f"{tree.name} == {tree.values[0]}"
    joined = {"and": " && ", "or": " || "}[tree.word].join(map(written, tree.parts))
    return f"({joined})"


def holds(tree, values):
    if isinstance(tree, Claim):
        return values[tree.name] == tree.values[0]
    return (all if tree.word == "and" else any)(holds(part, values) for part in tree.parts)


@given(tree=trees, bits=st.tuples(*[st.sampled_from("01")] * 4))
def test_normal_forms_mean_what_the_formula_means(tree, bits):
    values = dict(zip("abcd", bits, strict=True))
    read = read_formula(written(tree))
    expected = holds(tree, values)
    assert holds(read, values) == expected
    assert all(any(holds(t, values) for t in c) for c in normal_form(read, "and")) == expected
    assert any(all(holds(t, values) for t in c) for c in normal_form(read, "or")) == expected

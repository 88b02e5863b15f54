"""Lines of keys, against what a writer of TOML knows."""

import tomllib

import pytest
from hypothesis import given, strategies as st

from octavo.scenarios.toml_lines import lines_of

TEXT = """\
# a comment = 1
command = [
  "run",  # with a comment ] = [
  ["--a", '{a}'],
]
text = \"\"\"
[not.a.table]
key = 1
\"\"\"
other = '''
x = 1'''
"quoted key".'sub' = 3

[space]
rate = {float = [1, 2], when = {kind = "a # b"}}   # {
  [space."svm.C"]
  int = [1,
    2]
[[forbidden]]
a = 1
[[forbidden]]
a = 2
b.c = 3
"""


def test_every_key_is_found_in_its_line():
    tomllib.loads(TEXT)
    lines = lines_of(TEXT)
    for key, line in {
        ("command",): 2, ("command", 0): 3, ("command", 1): 4, ("command", 1, 1): 4,
        ("text",): 6, ("other",): 10, ("quoted key", "sub"): 12, ("space",): 14,
        ("space", "rate"): 15, ("space", "rate", "when", "kind"): 15, ("space", "svm.C"): 16,
        ("space", "svm.C", "int", 1): 18, ("forbidden", 0, "a"): 20, ("forbidden", 1): 21,
        ("forbidden", 1, "a"): 22, ("forbidden", 1, "b", "c"): 23,
    }.items():  # fmt: skip
        assert lines[key] == line, key
    assert ("not", "a", "table") not in lines and ("key",) not in lines


SCALARS = ["1", "-2.5e3", "true", '"a\\"]}#"', "'x = [1'", "1979-05-27T07:32:00Z",
           '"""a\nb = 2\n"""', "[1, [2, 3]]", "[\n 1, # ]\n {a = 1}\n]",
           "{a = {b = '}'}, c = 1}"]  # fmt: skip


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(SCALARS), st.booleans()), max_size=8))
def test_lines_are_those_in_which_the_keys_were_written(parts):
    text, expected, table = "", {}, ()
    for number, (is_table, scalar, is_commented) in enumerate(parts):
        if is_commented:
            text += "# [x] y = 1\n\n"
        if is_table:
            table = (f"t{number}",)
            expected[table] = text.count("\n") + 1
            text += f"[t{number}]\n"
        expected[(*table, f"k{number}")] = text.count("\n") + 1
        text += f"k{number} = {scalar}\n"
    found = lines_of(text)
    assert expected.items() <= found.items()

    def keys(value, key=()):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, inner in items:
            yield (*key, name)
            if isinstance(inner, dict | list):
                yield from keys(inner, (*key, name))

    assert set(found) == set(keys(tomllib.loads(text)))


@pytest.mark.parametrize("text", ["", "\n", "# only a comment", "a = 1"])
def test_short_files(text):
    assert len(lines_of(text)) == len(tomllib.loads(text))

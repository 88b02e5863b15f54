"""What the pages say is true: every command, option, link and linked test exists."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import octavo

ROOT = Path(__file__).parent.parent
GROUPS = {"portfolio"}  # whose commands have two words
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page: Path) -> list[str]:
    """The lines of a page's code blocks that call octavo."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.lstrip("$ ") for line in lines if re.match(r"(\$ )?octavo ", line)]


@cache
def usage(command: str) -> str:
    """What `octavo COMMAND --help` prints."""
    done = subprocess.run(
        [Path(sys.executable).with_name("octavo"), *command.split(), "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"},
    )
    assert done.returncode == 0, f"octavo {command}: {done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_exist(page):
    for line in commands(page):
        words = line.split("#")[0].split()
        command = " ".join(words[1:3]) if words[1] in GROUPS else words[1]
        for option in (word.split("=")[0] for word in words if word.startswith("--")):
            assert re.search(rf"{option}\b", usage(command)), f"{line!r}: there is no {option}"
        assert usage(command)


def test_the_readme_shows_the_main_job():
    assert any(line.startswith("octavo fit ") for line in commands(ROOT / "README.md"))


def test_every_public_object_has_its_place_in_the_reference():
    reference = (ROOT / "docs" / "reference.md").read_text()
    objects = [name for name in octavo.__all__ if not isinstance(getattr(octavo, name), ModuleType)]
    missing = [name for name in objects if f"::: octavo.{name}\n" not in reference]
    assert not missing


# Octavo and others -----------------------------------------------------------------------

COMPARE = (ROOT / "docs" / "compare.md").read_text()
CAPABILITIES = [
    "complex spaces",
    "multi-objective",
    "multi-fidelity",
    "instances",
    "command line",
    "parallelism",
]


def section(title: str, text: str = COMPARE) -> str:
    """What stands below a heading, until the next one."""
    (found,) = re.findall(rf"^#+ {title}\n(.*?)(?=^#|\Z)", text, re.IGNORECASE | re.M | re.S)
    return str(found)


def table_below(title: str) -> list[list[str]]:
    """The cells of the table in a section, without its heading."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_pages_link_only_to_files_that_exist():
    for page in PAGES:
        beside = page.parent
        for link in re.findall(r"\]\(((?:\.\./)?[\w./-]+)\)", page.read_text()):
            assert (beside / link).exists(), f"{page.name} links to {link}"


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_each_of_our_ticks_stands_on_tests_that_exist(capability):
    shown = re.findall(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)", section(capability))
    assert len(shown) >= 3
    for name, path in shown:
        source = (ROOT / path).read_text()
        assert re.search(rf"^def {name}\(", source, re.M), f"{path} has no {name}"
        assert not re.search(r"pytest\.(mark\.)?(skip|xfail)", source), (
            f"{path} may not show anything"
        )


def test_every_row_of_the_comparison_answers_every_question():
    ours = table_below("At a glance")[-1]
    assert "Octavo" in ours[0]
    anchors = [f"[✓](#{name.replace(' ', '-')})" for name in CAPABILITIES]
    assert ours[1:] == anchors
    assert all(len(row) == len(ours) for row in table_below("At a glance"))
    notes = re.findall(r"^(\d+)\. ", section("At a glance"), re.M)
    assert notes == [str(i + 1) for i in range(len(notes))]
    digits = "⁰¹²³⁴⁵⁶⁷⁸⁹"
    marks = re.findall(f"[{digits}]+", section("At a glance"))
    assert {mark.translate(str.maketrans(digits, "0123456789")) for mark in marks} == set(notes)

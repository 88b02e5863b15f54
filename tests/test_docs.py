"""What the pages say about the command line is true: every command and option exists."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
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
        [Path(sys.executable).with_name("octavo"), command, "--help"],
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
        for option in (word.split("=")[0] for word in words if word.startswith("--")):
            assert re.search(rf"{option}\b", usage(words[1])), f"{line!r}: there is no {option}"
        assert usage(words[1])


def test_the_readme_shows_the_main_job():
    assert any(line.startswith("octavo fit ") for line in commands(ROOT / "README.md"))

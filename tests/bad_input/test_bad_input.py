"""Whatever is misused is refused with a sentence: value, expectation, remedy.

The tables beside this file hold the misuses, one row per cause. Two causes are distinct if
different lines of Octavo raise them, over all surfaces together.
"""

import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import misuses_of_cli
import misuses_of_fit
import misuses_of_minimize
import misuses_of_predict
import misuses_of_settings
import misuses_of_space
import misuses_of_study
import pytest
from misuse import Misuse, Refusal, plain, refusal

from octavo.cli import main

SURFACES: dict[str, list[Misuse]] = {
    "fit": [*misuses_of_fit.CASES, *misuses_of_settings.CASES],
    "space": misuses_of_space.CASES,
    "minimize": misuses_of_minimize.CASES,
    "study": misuses_of_study.CASES,
    "predict": misuses_of_predict.CASES,
    "cli": misuses_of_cli.CASES,
}
LEAST = {"fit": 60, "space": 25, "minimize": 25, "study": 15, "predict": 8, "cli": 25}

EVERY = {f"{surface}: {one.cause}": one for surface, some in SURFACES.items() for one in some}
every_misuse = pytest.mark.parametrize("name", EVERY)


# What a database keeps beside its file while somebody looks at it.
BESIDE_DATABASES = ("history.sqlite-wal", "history.sqlite-shm", "writer.lock")


def files() -> set[str]:
    """Every file and folder below the working directory."""
    return {str(path) for path in Path().rglob("*") if path.name not in BESIDE_DATABASES}


@cache
def outcome(name: str) -> tuple[Refusal, set[str]]:
    """How a misuse is refused in an empty folder, and what it leaves there."""
    case, home = EVERY[name], Path.cwd()
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        try:
            if case.given is not None:
                case.given()
            before = files()
            return refusal(case.call), files() - before
        finally:
            os.chdir(home)


@every_misuse
def test_the_error_names_the_value_the_expectation_and_the_remedy(name):
    case, (found, _) = EVERY[name], outcome(name)
    message = str(found.error)
    assert type(found.error) is case.error
    parts = (case.value, case.expected, case.remedy)
    for part in parts:
        assert part in message
        assert not any(part in other for other in parts if other is not part), "one part, one word"
    assert len(message) < 1000


@every_misuse
def test_a_refused_call_leaves_nothing_behind(name):
    assert outcome(name)[1] == set()


@pytest.mark.parametrize("name", [name for name in EVERY if name.startswith("cli: ")])
def test_a_refused_command_prints_one_sentence_and_no_traceback(name):
    found, _ = outcome(name)
    assert " ".join(found.printed.split()) == f"Error: {' '.join(str(found.error).split())}"
    # 1: the work could not be done (nothing there, something taken); 2: it makes no sense.
    expected = 1 if isinstance(found.error, OSError | RuntimeError) else 2
    assert found.code == expected


def test_no_two_causes_are_raised_by_the_same_line():
    where: dict[tuple[str, int], str] = {}
    for name in EVERY:
        found, _ = outcome(name)
        assert found.where not in where, f"{name!r} and {where[found.where]!r}: {found.where}"
        where[found.where] = name
    assert len(where) == len(EVERY) == sum(map(len, SURFACES.values()))


def test_every_surface_is_covered():
    assert {surface: len(some) >= LEAST[surface] for surface, some in SURFACES.items()} == (
        dict.fromkeys(SURFACES, True)
    )


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["fit", "houses.csv"], "Missing option '--target'"),
        (["fit", "houses.csv", "--traget", "soon"], "--target"),
        (["fit", "houses.csv", "--target", "soon", "--trials", "many"], "'--trials'"),
        (["leaderboard", "houses", "--top", "0"], "greater than or equal to 1"),
        (["tell", "mlp", "first", "0.1"], "'INDEX'"),
        (["train", "houses.csv"], "No such command 'train'"),
    ],
)
def test_a_command_line_that_cannot_be_read_is_refused_by_its_usage(arguments, part, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    printed = plain(capsys.readouterr().err)
    assert part in printed
    assert "Usage:" in printed and "Traceback" not in printed

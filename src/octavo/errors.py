"""Everything that Octavo raises on purpose.

OctavoError
├── SpaceError (ValueError)        a space or a configuration is malformed
├── ProblemError (ValueError)      objectives, constraints, fidelity or limits make no sense
├── SettingError (ValueError)      an argument of a public function has no meaning here
├── DataError (ValueError)         a table, target or weight column cannot be used
├── ObjectiveError (ValueError)    what the user's function returned cannot be read as costs
│   └── CutoffError                an objective ended its own run at its cutoff: a timeout
├── StudyError (RuntimeError)      the study cannot do what was asked of it now
│   ├── StudyLockedError           another process is writing to it
│   └── LeaseLostError             another process runs the trial by now
├── OutOfTimeError (TimeoutError)  a deadline left no time for anything usable
├── StorageError (OSError)         the history could not be read or written
└── MissingExtra (ImportError)     an optional package is not installed

TrialStopped (BaseException)       raised by `report` inside an objective: its trial is to end

Each message names the offending value, says what was expected, and what to do. A failing
*trial* is data, not an exception: see `octavo.trial.Status`.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "CutoffError",
    "DataError",
    "LeaseLostError",
    "MissingExtra",
    "ObjectiveError",
    "OctavoError",
    "OutOfTimeError",
    "ProblemError",
    "SettingError",
    "SpaceError",
    "StorageError",
    "StudyError",
    "StudyLockedError",
    "TrialStopped",
    "closest",
]


class OctavoError(Exception):
    """Base of everything that Octavo raises on purpose."""


class SpaceError(OctavoError, ValueError):
    """A space, a hyperparameter or a configuration is malformed."""


class ProblemError(OctavoError, ValueError):
    """Objectives, constraints, fidelity or limits make no sense."""


class SettingError(OctavoError, ValueError):
    """An argument of a public function has no meaning here."""


class DataError(OctavoError, ValueError):
    """A table, a target or a weight column cannot be used."""


class ObjectiveError(OctavoError, ValueError):
    """What the objective function returned cannot be read as costs."""


class CutoffError(ObjectiveError):
    """Raised inside an objective that ended its own run at its cutoff: its trial is a timeout."""


class StudyError(OctavoError, RuntimeError):
    """The study cannot do what was asked of it in its present state."""


class StudyLockedError(StudyError):
    """Another process has the study open for writing."""


class LeaseLostError(StudyError):
    """Another process has taken over a trial of a shared study."""


class OutOfTimeError(OctavoError, TimeoutError):
    """A deadline left no time to make anything usable."""


class StorageError(OctavoError, OSError):
    """The history could not be read or written."""


class MissingExtra(OctavoError, ImportError):
    """An optional package is not installed.

    Parameters
    ----------
    what
        What needs it, as the subject of a sentence: "the CatBoost models".
    extra
        Name of the extra that brings it: "tabular".
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs extra packages that are not installed. "
            f'Run: pip install "octavo[{extra}]"'
        )
        self.extra = extra


class TrialStopped(BaseException):
    """Raised by `report` inside an objective whose trial a stopper has ended.

    No `Exception`, so that an objective's own `except Exception` lets it pass. Let it pass, or
    catch it to tidy up; an objective may raise it itself to end its trial early. The costs of
    such a trial are the values that it reported last.

    Parameters
    ----------
    cause
        In words, why the trial ends.
    paused
        Whether the trial may go on later, from its checkpoint.
    """

    def __init__(self, cause: str = "the objective ended it early", *, paused: bool = False):
        super().__init__(cause)
        self.paused = paused


def closest(wrong: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name: " Did you mean 'learning_rate'?", or nothing.

    Examples
    --------
    >>> closest("acuracy", ["accuracy", "log_loss"])
    " Did you mean 'accuracy'?"
    >>> closest("zzz", ["accuracy"])
    ''
    """
    found = get_close_matches(str(wrong), [str(name) for name in known], n=1)
    return f" Did you mean {found[0]!r}?" if found else ""

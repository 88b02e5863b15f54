"""What a trial leaves for those that go on from it: a file or folder that is whole or not there.

    trials/3/checkpoint              what trial 3 left
    trials/3/.checkpoint-...         on its way there, or out of it; never read

A checkpoint is written under another name, flushed to the disk and then renamed, so that a
process that is killed at any instant leaves the one before, or none, but never half of one.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from octavo.errors import SettingError
from octavo.trial import Checkpoint, Proposal

__all__ = [
    "Checkpoints",
    "clear",
    "collected",
    "discard",
    "resumption",
    "sizes",
    "source_of",
    "why_from_zero",
]

logger = logging.getLogger(__name__)

_NAME = "checkpoint"
_PREVIOUS = ".checkpoint-previous"
_DELETED = ".checkpoint-deleted"


class Checkpoints:
    """The `checkpoint` that an objective gets.

    Parameters
    ----------
    folder
        The trial's own folder; made when something is saved.
    source
        Folder of the trial from which this one goes on, if it left a checkpoint.
    """

    def __init__(self, folder: Path, source: Path | None) -> None:
        self._folder, self._source = folder, source
        self._lock = threading.Lock()
        self.is_loaded = False
        """Whether the objective got an earlier trial's checkpoint."""

    def load(self) -> Path | None:
        """What the trial named in `resume_from` left: a file or folder, to be read only.

        Returns
        -------
        Path or None
            None: start from zero.
        """
        found = None if self._source is None else _found(self._source)
        self.is_loaded = found is not None
        return found

    def save(self, write: Callable[[Path], object]) -> None:
        """Keep the state of this trial; it replaces what was saved before.

        Parameters
        ----------
        write
            Called with a path where nothing is: it makes a file or a folder there.

        Raises
        ------
        SettingError
            If it cannot be called, or left nothing at the path. What it raises goes through;
            then the checkpoint before stays.
        """
        if not callable(write):
            raise SettingError(
                f"checkpoint.save got {write!r:.100} of type {type(write).__name__}, but takes a "
                "function that writes to a path: checkpoint.save(lambda path: torch.save(s, path))."
            )
        with self._lock:
            self._folder.mkdir(parents=True, exist_ok=True)
            fresh = self._folder / f".checkpoint-{os.getpid()}"
            _remove(fresh)
            try:
                write(fresh)
                if not os.path.lexists(fresh):
                    raise SettingError(
                        f"the function given to checkpoint.save left nothing at {fresh}. Write "
                        "to that very path (numpy.save adds '.npy' to it: give it an open file), "
                        "or make it a folder and write into that."
                    )
                _flush(fresh)
                _put_in_place(fresh, self._folder)
            finally:
                _remove(fresh)


# Around a trial -----------------------------------------------------------------------


def why_from_zero(study: Path, proposal: Proposal, *, is_wanted: bool) -> str:
    """Why a trial that is to go on from another one cannot; empty if it can, or is not to.

    Parameters
    ----------
    study
        The study's folder.
    proposal
        What is about to run.
    is_wanted
        Whether the objective takes a `checkpoint`.
    """
    source = proposal.resume_from
    if source is None:
        return ""
    if not is_wanted:
        return "the objective takes no checkpoint"
    if _found(_home(study, source)) is None:
        why = f"the checkpoint of trial {source} is missing"
        logger.warning("trial %d starts from zero: %s", proposal.index, why)
        return why
    return ""


def source_of(study: Path, proposal: Proposal) -> Path | None:
    """The folder of the trial from which a proposal goes on; None if from none."""
    source = proposal.resume_from
    return None if source is None else _home(study, source).absolute()


def resumption(proposal: Proposal, from_zero: str, is_loaded: bool | None) -> dict[str, Any]:
    """What the history says of whether a trial went on from another one, among its extra data.

    Parameters
    ----------
    proposal
        What ran.
    from_zero
        As told by `why_from_zero`.
    is_loaded
        Whether the objective loaded the checkpoint; None if it was killed and nobody knows.

    Examples
    --------
    >>> resumption(Proposal(5, {}, resume_from=3), "", True)
    {'resumed_from': 3}
    >>> resumption(Proposal(5, {}, resume_from=3), "the checkpoint of trial 3 is missing", False)
    {'from_zero': 'the checkpoint of trial 3 is missing'}
    """
    if proposal.resume_from is None:
        return {}
    if from_zero or is_loaded is False:
        return {"from_zero": from_zero or "the objective did not load the checkpoint"}
    return {} if is_loaded is None else {"resumed_from": proposal.resume_from}


def clear(study: Path, index: int) -> None:
    """Remove what an earlier attempt at the same trial left."""
    folder = _home(study, index)
    for path in (folder / _NAME, *_leftovers(folder)):
        _remove(path)


def collected(study: Path, index: int) -> Checkpoint | None:
    """What a trial that has ended left; what it had only begun to write is removed."""
    folder = _home(study, index)
    try:
        found = _found(folder)
        for path in _leftovers(folder):
            _remove(path)
        return None if found is None else Checkpoint(f"trials/{index}/{_NAME}", _size(found))
    except OSError as error:  # no reason to lose a trial
        logger.warning("the checkpoint of trial %d cannot be used: %s", index, error)
        return None


def discard(study: Path, index: int) -> None:
    """Delete what a trial left. Nobody sees half of it, even if deleting is interrupted.

    Raises
    ------
    OSError
        If it cannot be deleted.
    """
    folder = _home(study, index)
    found = _found(folder)
    if found is not None:
        _remove(folder / _DELETED)
        found.rename(folder / _DELETED)
    for path in _leftovers(folder):
        _remove(path)


def sizes(study: Path) -> dict[int, int]:
    """Bytes of every checkpoint of a study, by the index of the trial that left it.

    What was being deleted when the study was killed goes on being deleted.
    """
    found: dict[int, int] = {}
    try:
        with os.scandir(study / "trials") as entries:
            numbers = [int(entry.name) for entry in entries if entry.name.isdigit()]
    except FileNotFoundError:
        return found
    for index in sorted(numbers):
        path = _home(study, index) / _NAME
        try:
            _remove(path.with_name(_DELETED))
            if os.path.lexists(path):  # what is on its way there may be another process's
                found[index] = _size(path)
        except OSError as error:
            logger.warning("the checkpoint of trial %d cannot be used: %s", index, error)
    return found


# Files --------------------------------------------------------------------------------


def _home(study: Path, index: int) -> Path:
    return study / "trials" / str(index)


def _found(folder: Path) -> Path | None:
    path = folder / _NAME
    if os.path.lexists(path):
        return path
    # A folder cannot replace another in one step: between two steps, the earlier one holds.
    previous = folder / _PREVIOUS
    if os.path.lexists(previous):
        previous.rename(path)
        return path
    return None


def _leftovers(folder: Path) -> list[Path]:
    return list(folder.glob(".checkpoint-*"))


def _put_in_place(fresh: Path, folder: Path) -> None:
    path, previous = folder / _NAME, folder / _PREVIOUS
    if os.path.lexists(path) and (fresh.is_dir() or path.is_dir()):
        _remove(previous)
        path.rename(previous)
    fresh.replace(path)
    _flush_entry(folder)
    _remove(previous)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    if not path.is_dir():
        return path.lstat().st_size
    return sum(
        (Path(folder) / name).lstat().st_size
        for folder, _, names in os.walk(path)
        for name in names
    )


def _flush(path: Path) -> None:
    """Have everything below a path on the disk, so that a rename cannot overtake it."""
    if path.is_dir():
        for folder, _, names in os.walk(path):
            for name in names:
                _flush_entry(Path(folder) / name)
            _flush_entry(Path(folder))
    else:
        _flush_entry(path)


def _flush_entry(path: Path) -> None:
    if path.is_symlink() or not (path.is_file() or path.is_dir()):
        return  # a link or a pipe has no content of its own
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

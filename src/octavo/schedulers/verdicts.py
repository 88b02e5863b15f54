"""What a stopper may do to a trial without prospects."""

from __future__ import annotations

from typing import Literal

from octavo.errors import SettingError

__all__ = ["Verdict", "check_verdict"]

Verdict = Literal["stop", "pause"]


def check_verdict(verdict: object) -> None:
    """Refuse what is neither "stop" nor "pause".

    Raises
    ------
    SettingError
        Naming it.
    """
    if verdict not in ("stop", "pause"):
        raise SettingError(
            f"verdict={verdict!r} is neither 'stop', which ends a trial for good, nor 'pause', "
            "which leaves it to be thawed by an optimizer such as freeze-thaw."
        )

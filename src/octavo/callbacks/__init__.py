"""What a study tells those who watch it: a callback is any callable that takes an event.

A callback that returns a sentence stops the study, with the sentence as the reason; one that
returns None lets it go on. Every trial is committed to storage before a callback hears of it,
so an exception raised by a callback ends the run but loses nothing.
"""

from octavo.callbacks.events import (
    Callback,
    Completed,
    Ended,
    Event,
    Reported,
    Started,
    Submitted,
)
from octavo.callbacks.hopeless import StopWhenHopeless
from octavo.callbacks.not_worth import Appraisal, StopWhenNotWorth

__all__ = [
    "Appraisal",
    "Callback",
    "Completed",
    "Ended",
    "Event",
    "Reported",
    "Started",
    "StopWhenHopeless",
    "StopWhenNotWorth",
    "Submitted",
]

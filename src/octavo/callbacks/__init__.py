"""What a study tells those who watch it: a callback is any callable that takes an event.

A callback that returns a sentence stops the study, with the sentence as the reason; one that
returns None lets it go on. Every trial is committed to storage before a callback hears of it,
so an exception raised by a callback ends the run but loses nothing.
"""

from collections.abc import Mapping
from types import MappingProxyType

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
from octavo.maturity import Maturity

__all__ = [
    "MATURITY",
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

MATURITY: Mapping[str, Maturity] = MappingProxyType(
    {"StopWhenHopeless": "stable", "StopWhenNotWorth": "beta"}
)
"""How far each rule that ends a study can be trusted."""

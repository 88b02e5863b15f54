"""How far a method can be trusted: three words, and what each of them promises.

Every floor says of its own methods which word holds, in a mapping `MATURITY` beside their names.
The page `docs/compare.md` shows all of them, and a test compares it with the mappings.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

__all__ = ["MEANING", "Maturity"]

Maturity = Literal["stable", "beta", "contrib"]

MEANING: Mapping[Maturity, str] = MappingProxyType(
    {
        "stable": (
            "Measured on tasks that its defaults were not chosen on, or with faults injected, or "
            "simple enough to be right by inspection; what changes is announced in the changelog."
        ),
        "beta": (
            "Complete, and held to the same laws and tests, but measured on few kinds of tasks so "
            "far; settings and defaults may change with any version."
        ),
        "contrib": (
            "There to compare with: it keeps the laws, but has not paid where it was measured; it "
            "may change or go with any version."
        ),
    }
)
"""What each word promises, in a sentence."""

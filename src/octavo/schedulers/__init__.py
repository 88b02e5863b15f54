"""What decides how much each trial may spend: schedules over fidelities that wrap a recipe.

Each row is one idea in one file. The catalog of `octavo.optimizers` finds them by name, so
`octavo.minimize(optimizer="hyperband")` does; modules load on first use.
"""

from __future__ import annotations

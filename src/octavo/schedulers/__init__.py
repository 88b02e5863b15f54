"""What decides how much each trial may spend, and on which instance: recipes that wrap a recipe.

Each row is one idea in one file. The catalog of `octavo.optimizers` finds them by name, so
`octavo.minimize(optimizer="racing")` does; modules load on first use.
"""

from __future__ import annotations

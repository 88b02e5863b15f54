"""The loop that fills a history: `Study`, `minimize`, `open_study`."""

from octavo.study.minimize import minimize
from octavo.study.study import Study, open_study

__all__ = ["Study", "minimize", "open_study"]

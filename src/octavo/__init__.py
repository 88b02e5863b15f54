"""AutoML for everyone: one engine for tuning, and tables in, trustworthy models out.

The public names stand in `__init__.pyi`, which serves type checkers too. Each loads on first
use, so that `import octavo` costs next to nothing.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

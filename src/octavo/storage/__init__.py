"""What a study knows, on disk or in memory; loaded on first use, for SQLAlchemy takes time."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)

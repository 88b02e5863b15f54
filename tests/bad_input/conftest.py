"""The tables of misuses lie beside their test, one file per surface, and are imported by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

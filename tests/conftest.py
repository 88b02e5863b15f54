"""How often tests repeat: few times on every push, many times in `make test-full`.

`OCTAVO_REPEATS` multiplies the loops of tests that count for themselves (the fixture
`repeats`); from 2 on, hypothesis uses its profile "full". `HYPOTHESIS_PROFILE` overrides that.
"""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# A shell that starts the tests in the background has them ignore Ctrl-C, and whatever they start
# inherits that. Programs under test that are to be interrupted must not.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPEATS = int(os.environ.get("OCTAVO_REPEATS", "1"))

_slow_is_fine = [HealthCheck.too_slow, HealthCheck.data_too_large]
# ci: the same examples every time, so that a red run is the change's own doing.
settings.register_profile(
    "ci", max_examples=25, derandomize=True, deadline=None, suppress_health_check=_slow_is_fine
)
settings.register_profile(
    "full", max_examples=300, deadline=None, suppress_health_check=_slow_is_fine
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "full" if REPEATS > 1 else "ci"))


@pytest.fixture(scope="session")
def repeats() -> int:
    """By how much to multiply the repetitions of a test that loops by itself."""
    return REPEATS

"""How often tests repeat: few times on every push, many times in `make test-full`.

`OCTAVO_REPEATS` multiplies the loops of tests that count for themselves (the fixture
`repeats`); from 2 on, hypothesis uses its profile "full". `HYPOTHESIS_PROFILE` overrides that.
"""

import os
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from octavo.testing.postgres import LocalPostgres

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


@pytest.fixture(scope="session")
def postgres() -> Iterator[LocalPostgres]:
    """A PostgreSQL server of this test run, made when a first test asks for it."""
    with LocalPostgres() as server:
        yield server


@pytest.fixture
def shared_url(postgres: LocalPostgres) -> str:
    """The address of a study that is not there yet."""
    return postgres.url(f"test-{uuid.uuid4().hex[:12]}", lease=1)

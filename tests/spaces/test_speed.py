"""Promised speeds, best of several so that a busy machine does not matter."""

import time

import numpy as np
import pytest

from octavo.spaces import Categorical, Constant, Float, Integer, Ordinal, greater_than, space

MIXED = space(
    rate=Float(1e-5, 1e-1, log=True, prior=1e-3),
    batch=Integer(16, 512, step=16),
    optimizer=Categorical(["adam", "sgd", "nag"]),
    momentum=Float(0.0, 0.99).when(optimizer=["sgd", "nag"]),
    depth=Integer(1, 10),
    width=Integer(8, 1024, log=True).when(depth=greater_than(3)),
    activation=Categorical(["relu", "tanh"]),
    decay=Float(1e-8, 1e-2, log=True),
    dropout=Float(0, 0.5, step=0.1),
    size=Ordinal(["s", "m", "l"]).when(activation="relu"),
    seed=Constant(3),
    forbid=[{"activation": "tanh", "optimizer": "adam"}, {"batch": [16, 32], "size": "l"}],
)
POINTS = MIXED.sample(5000, np.random.default_rng(0))
CONFIGS = MIXED.decode(POINTS) * 2


def fastest_ms(work, tries=7):
    """Milliseconds of the fastest of several tries."""
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


@pytest.mark.parametrize(
    ("what", "work", "limit_ms"),
    [
        ("sample 5,000", lambda: MIXED.sample(5000, np.random.default_rng(0)), 10),
        ("encode 10,000", lambda: MIXED.encode(CONFIGS), 150),
        ("decode 1,000", lambda: MIXED.decode(POINTS[:1000]), 10),
        ("mutate 5,000", lambda: MIXED.mutate(POINTS, np.random.default_rng(0)), 50),
        ("recombine 5,000", lambda: MIXED.recombine(POINTS, POINTS, np.random.default_rng(0)), 25),
        ("keys of 5,000", POINTS.keys, 50),
        ("sample 1", lambda: MIXED.sample(1, np.random.default_rng(0)), 2),
        ("check 1", lambda: MIXED.check(CONFIGS[0]), 2),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_speed(what, work, limit_ms):
    assert fastest_ms(work) < limit_ms, what

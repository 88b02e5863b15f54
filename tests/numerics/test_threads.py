"""Threads of numeric libraries are limited for the time being, also of those loaded later."""

import subprocess
import sys

from threadpoolctl import threadpool_info

from octavo.numerics.threads import limited


def threads(user_api):
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == user_api]


def test_threads_are_limited_and_given_back():
    import sklearn.ensemble  # noqa: F401  (brings OpenMP)

    before = threads("blas"), threads("openmp")
    assert all(before)
    with limited(1):
        assert set(threads("blas")) == set(threads("openmp")) == {1}
    assert (threads("blas"), threads("openmp")) == before
    with limited(1, user_api="openmp"):
        assert set(threads("openmp")) == {1} and threads("blas") == before[0]


def test_a_library_that_is_loaded_later_is_found():
    code = (
        "import numpy\n"
        "from octavo.numerics.threads import limited\n"
        "with limited(1): pass\n"
        "import sklearn.ensemble\n"
        "from threadpoolctl import threadpool_info\n"
        "with limited(1):\n"
        "    found = [i['num_threads'] for i in threadpool_info() if i['user_api'] == 'openmp']\n"
        "assert found and set(found) == {1}, found\n"
    )
    environment = {"OMP_NUM_THREADS": "3", "PATH": ""}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, env=environment)

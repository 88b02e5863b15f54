"""Energy: stated where it is an estimate, read where there are counters, offline in any case."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given, strategies as st

from octavo.errors import SettingError
from octavo.executors.counters import Counters, country_grams, unreadable_because
from octavo.executors.energy import Energy, meter
from octavo.trial import Proposal, Resources, Status, Trial


def trial(**resources):
    return Trial(Proposal(0, {}), Status.SUCCESS, (1.0,), resources=Resources(**resources))


@given(cpu_s=st.floats(0, 1e6), watts=st.floats(0.1, 1e3), grams=st.floats(0, 1e4))
def test_an_estimate_is_cpu_time_times_watts_times_carbon(cpu_s, watts, grams):
    energy = Energy(method="estimate", watts_per_core=watts, grams_per_kwh=grams)
    its = meter(energy).read(trial(cpu_s=cpu_s)).resources
    assert its.energy_kwh == pytest.approx(cpu_s * watts / 3600 / 1000)
    assert its.co2_kg == pytest.approx(its.energy_kwh * grams / 1000)
    assert f"{watts:g} W" in its.how["energy_kwh"] and f"{grams:g} g/kWh" in its.how["co2_kg"]


def test_every_parameter_shows_in_how():
    one, other = Energy("estimate", 12), Energy("estimate", 7)
    assert meter(one).how["energy_kwh"] != meter(other).how["energy_kwh"]
    assert meter(one).how["energy_kwh"] == "estimate: CPU time x 12 W per busy core"
    assert meter(one).how["co2_kg"] == "energy x 475 g/kWh, world average"


def test_what_an_executor_measured_itself_stands():
    given = trial(cpu_s=10.0, energy_kwh=0.5, how={"energy_kwh": "power meter"})
    its = meter(Energy("estimate", grams_per_kwh=100)).read(given).resources
    assert (its.energy_kwh, its.co2_kg) == (0.5, pytest.approx(0.05))
    assert its.how["energy_kwh"] == "power meter"


def test_without_cpu_time_there_is_no_energy():
    its = meter(Energy("estimate")).read(trial()).resources
    assert its.energy_kwh is its.co2_kg is None
    assert "no CPU time" in its.how["energy_kwh"]


def test_countries_come_from_a_table():
    assert country_grams("DEU") == country_grams("deu") > 3 * country_grams("SWE") > 0
    assert Energy(country="FRA").grams == country_grams("FRA")
    assert "average of FRA" in Energy(country="fra").intensity
    with pytest.raises(SettingError, match=r"country='Germany'.*mean 'DEU'"):
        Energy(country="Germany")


# Counters -----------------------------------------------------------------------------


class Processor:
    """Files as Linux shows them, whose counter rises by so many watts."""

    def __init__(self, folder: Path, watts: float, start_uj: int = 10**9, wrap_uj: int = 2**38):
        self.folder, self.watts, self.start, self.wrap = folder, watts, start_uj, wrap_uj
        self.domain = folder / "intel-rapl:0"
        self.domain.mkdir(parents=True)
        (self.domain / "name").write_text("package-0\n")
        (self.domain / "max_energy_range_uj").write_text(f"{wrap_uj}\n")
        self.began, self.joules = time.monotonic(), 0.0
        self.stop = threading.Event()
        self.tick()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def tick(self) -> None:
        self.joules = (time.monotonic() - self.began) * self.watts
        whole = (self.start + int(self.joules * 1e6)) % self.wrap
        (self.domain / "next").write_text(f"{whole}\n")
        (self.domain / "next").replace(self.domain / "energy_uj")

    def run(self) -> None:
        while not self.stop.wait(0.005):
            self.tick()


@pytest.fixture
def processor(tmp_path):
    made = []

    def make(**settings):
        made.append(Processor(tmp_path / f"{len(made)}" / "powercap", **settings))
        return made[-1]

    yield make
    for one in made:
        one.stop.set()
        one.thread.join()


def busy_s() -> float:
    times = psutil.cpu_times()
    return sum(times) - times.idle - times.iowait - times.guest - times.guest_nice


def burn(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


@pytest.mark.parametrize("wraps", [False, True])
def test_counters_divide_the_machines_joules_by_busy_seconds(processor, wraps):
    place = {"start_uj": 2**38 - 10**6} if wraps else {}  # a joule before it begins anew
    its = processor(watts=40.0, **place)
    counters = Counters(its.folder)
    try:
        counters.begin(7)
        joules, busy = its.joules, busy_s()
        burn(0.8)
        watts = counters.end(7)
        joules, busy = its.joules - joules, busy_s() - busy
    finally:
        counters.close()
    assert watts == pytest.approx(joules / busy, rel=0.1)
    assert int((its.domain / "energy_uj").read_text()) < 10**9 + (0 if wraps else 10**10)


def test_a_trial_too_short_for_a_reading_borrows_from_the_seconds_before(processor):
    its = processor(watts=40.0)
    counters = Counters(its.folder)
    try:
        burn(0.3)
        counters.begin(0)
        watts = counters.end(0)
    finally:
        counters.close()
    assert 40.0 / os.cpu_count() / 2 < watts < 40.0 * 20
    assert not counters._thread.is_alive()


def test_a_counter_that_stands_still_tells_nothing(processor):
    its = processor(watts=0.0)
    counters = Counters(its.folder)
    try:
        counters.begin(0)
        assert counters.end(0) is None
    finally:
        counters.close()


def test_counters_that_cannot_be_read_are_refused_and_estimated_around(tmp_path):
    assert "there are none" in unreadable_because(tmp_path)
    why = unreadable_because()  # of the machine that runs this test
    assert bool(why) == ("estimate" in meter(Energy()).how["energy_kwh"])
    if why:
        with pytest.raises(SettingError, match=f"{re.escape(why)}.*method='estimate'"):
            Energy(method="counters")
    else:
        with pytest.raises(SettingError, match="trials run on other machines"):
            meter(Energy(method="counters"), is_local=False)
    assert "estimate" in meter(Energy(), is_local=False).how["energy_kwh"]


def test_files_that_are_no_processors_are_refused(tmp_path):
    domain = tmp_path / "powercap" / "intel-rapl:0"
    domain.mkdir(parents=True)
    (domain / "energy_uj").write_text("not a number")
    with pytest.raises(SettingError, match=r"no counter of a whole processor in .*powercap"):
        Counters(domain.parent)


SEARCH = """
import sys
tried = []
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        if not str(arguments[-1]).startswith(("/", "b'")):  # a path is no network
            tried.append((event, arguments))
sys.addaudithook(hook)
import octavo
study = octavo.minimize(
    lambda config: config["x"], octavo.space(x=octavo.Float(0, 1)), max_trials=3, seed=0,
    objectives=["loss", "co2"], energy=octavo.Energy(country="DEU"),
)
assert study.history.succeeded.all(), study.history[0].cause
assert "codecarbon" in sys.modules
assert not tried, tried
"""


def test_nothing_goes_over_a_network(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SEARCH],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []  # no emissions.csv either
    assert "codecarbon" not in done.stdout + done.stderr

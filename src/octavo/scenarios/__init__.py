"""Scenarios: any program, tuned as one TOML file says (`octavo tune scenario.toml`)."""

from octavo.scenarios.reading import read_scenario
from octavo.scenarios.running import run_scenario, stored_command
from octavo.scenarios.scenario import Scenario

__all__ = ["Scenario", "read_scenario", "run_scenario", "stored_command"]

"""Scenarios: any program, tuned as one TOML file says (`octavo tune scenario.toml`)."""

from octavo.scenarios.reading import read_scenario
from octavo.scenarios.running import run_scenario, stored_command
from octavo.scenarios.scenario import Scenario
from octavo.scenarios.validation import Validation, validate_scenario, validation_of

__all__ = [
    "Scenario",
    "Validation",
    "read_scenario",
    "run_scenario",
    "stored_command",
    "validate_scenario",
    "validation_of",
]

"""The errors that Fleetspan raises on purpose.

::

    FleetspanError
    └── ConfigError        a setting has a value that cannot be used
"""

from __future__ import annotations


class FleetspanError(Exception):
    """Everything that Fleetspan raises on purpose is one of these."""


class ConfigError(FleetspanError):
    """A setting has a value that cannot be used.

    Args:
        setting: Name of the setting, as the user writes it.
        problem: What is wrong, what was given and what was expected.
    """

    def __init__(self, setting: str, problem: str) -> None:
        self.setting = setting
        self.problem = problem
        super().__init__(f"{setting}: {problem}")

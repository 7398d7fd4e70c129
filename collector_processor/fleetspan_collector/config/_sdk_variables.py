"""The SDK's own variables: a shell may set them for its programs."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util

from fleetspan_collector.config._setting import ENV_PREFIX


def sdk_variables() -> frozenset[str]:
    """Return the names of the SDK's environment variables.

    Each field of the SDK's ``Config`` is one. The module is imported only when asked for:
    it brings OpenTelemetry with it, which a command that only reads does not need.
    """
    if importlib.util.find_spec("fleetspan._config") is None:
        return frozenset()
    config = getattr(importlib.import_module("fleetspan._config"), "Config", None)
    if not dataclasses.is_dataclass(config):
        return frozenset()
    return frozenset(
        ENV_PREFIX + each.name.upper() for each in dataclasses.fields(config)
    )

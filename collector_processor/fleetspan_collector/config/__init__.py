"""Settings of the collector and the command; ``SETTINGS.md`` lists them all."""

from __future__ import annotations

from fleetspan_collector.config._addresses import Endpoint
from fleetspan_collector.config._endpoints import (
    Endpoints,
    read_endpoints,
    remove_endpoints,
    write_endpoints,
)
from fleetspan_collector.config._load import Loaded, load, parse_assignments
from fleetspan_collector.config._parsers import show_size
from fleetspan_collector.config._ports import check_free, port_in_use
from fleetspan_collector.config._processor_settings import (
    ProcessorSettings,
    of_processors,
)
from fleetspan_collector.config._setting import Setting, show
from fleetspan_collector.config._settings import SETTINGS, Settings

__all__ = [
    "SETTINGS",
    "Endpoint",
    "Endpoints",
    "Loaded",
    "ProcessorSettings",
    "Setting",
    "Settings",
    "check_free",
    "load",
    "of_processors",
    "parse_assignments",
    "port_in_use",
    "read_endpoints",
    "remove_endpoints",
    "show",
    "show_size",
    "write_endpoints",
]

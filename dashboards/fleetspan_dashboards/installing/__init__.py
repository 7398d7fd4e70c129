"""Dashboards and rules brought into a Grafana: over its API, or as files it reads."""

from fleetspan_dashboards.installing.api import Grafana, GrafanaError, Installed
from fleetspan_dashboards.installing.provisioning import write_provisioning

__all__ = ["Grafana", "GrafanaError", "Installed", "write_provisioning"]

"""Grafana dashboards over the tables of Fleetspan.

They are written here in Python and shipped as JSON (``json/``), which Grafana 11.6 to 13
reads: ``python -m fleetspan_dashboards`` writes it anew.
"""

from fleetspan_dashboards.files import names, read

__all__ = ["names", "read"]

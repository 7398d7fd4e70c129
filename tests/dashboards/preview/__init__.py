"""Dashboards drawn in a page of our own, from real results: a preview, not Grafana."""

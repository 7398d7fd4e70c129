"""What runs beside the Claude Code client: its hook and its status line.

The client waits for both, so they start fast: standard library only, few modules, none of
``fleetspan`` or OpenTelemetry. ``run.py`` is the script that the client's settings name; the
plugin runs it with whatever ``python3`` there is, so it keeps to Python 3.9.
"""

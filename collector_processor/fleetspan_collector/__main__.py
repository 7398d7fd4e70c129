"""``python -m fleetspan_collector`` is the ``fleetspan`` command."""

from fleetspan_collector.cli import main

main()

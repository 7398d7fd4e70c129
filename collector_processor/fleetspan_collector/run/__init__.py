"""``fleetspan run``: a program, its instrumentations switched on, and what it cost."""

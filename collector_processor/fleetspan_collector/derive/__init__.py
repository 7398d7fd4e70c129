"""From raw rows to one truth: evidence (SQL), then agents, calls, tools and runs."""

"""The conventions in which spans arrive: one file of names each, one rename map of all."""

from fleetspan_collector.dialects._table import (
    FACTS,
    ORDER,
    Dialect,
    dialects,
    tokens,
)

__all__ = ["FACTS", "ORDER", "Dialect", "dialects", "tokens"]

"""The live stream: what arrives, shown before the engine has seen it."""

from fleetspan_collector.live.live import Live
from fleetspan_collector.live.routes import live_routes

__all__ = ["Live", "live_routes"]

"""Forwarding: what is accepted goes on to other OTLP destinations, byte for byte."""

from fleetspan_collector.forward.forwarders import Forwarders

__all__ = ["Forwarders"]

"""Jaeger's remote storage over gRPC: a Jaeger shows the store's traces as its own."""

from fleetspan_collector.jaeger.metrics import JaegerMetrics
from fleetspan_collector.jaeger.server import JaegerServer, JaegerSources

__all__ = ["JaegerMetrics", "JaegerServer", "JaegerSources"]

"""The receivers: OTLP over gRPC and HTTP, and Claude Code's own feeds over HTTP.

::

    from fleetspan_collector.receivers import (
        GrpcReceiver, HttpServer, Intake, OtlpHttpApp, ReceiverMetrics, ReceiverSettings,
    )

    intake = Intake(sink, ReceiverSettings(), ReceiverMetrics(registry))
    grpc = GrpcReceiver(intake, "127.0.0.1", 4317)
    http = HttpServer(OtlpHttpApp(intake), "127.0.0.1", 4318)
    await grpc.start()
    await http.start()
"""

from ._faults import TooLarge, Undecodable
from ._intake import Intake, TenantOf, tenant_by
from ._route import HttpAnswer, HttpRequest, Route
from ._schema import MAX_CONTAINER_DEPTH
from ._settings import ReceiverSettings
from .http_server import HttpServer
from .memory_sink import MemorySink
from .metrics import ReceiverMetrics
from .otlp_grpc import GrpcReceiver
from .otlp_http import OtlpHttpApp

__all__ = [
    "MAX_CONTAINER_DEPTH",
    "GrpcReceiver",
    "HttpAnswer",
    "HttpRequest",
    "HttpServer",
    "Intake",
    "MemorySink",
    "OtlpHttpApp",
    "ReceiverMetrics",
    "ReceiverSettings",
    "Route",
    "TenantOf",
    "TooLarge",
    "Undecodable",
    "tenant_by",
]

"""A checking copy of the OTLP messages: one C parse finds what Python would loop for.

The copy has the same field numbers, so it reads the same bytes, but `AnyValue` is
unrolled: `AnyValue0` may hold containers of `AnyValue1`, and so on. At the level
that is too deep a container is a message with a required field that no client sends.
Protobuf's C code then answers "is any value too deep?" (`IsInitialized`) and "where?"
(`FindInitializationErrors`) without a Python loop over attributes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from .._signals import Signal

# The store reads a value as a scalar, or as an array or a key-value list of scalars:
# containers nested this many deep. Its table structure is declared to that depth.
MAX_CONTAINER_DEPTH: Final = 1

# OTLP's request message of each signal, as OpenTelemetry generates it.
REQUESTS: Final[dict[Signal, type[Message]]] = {
    Signal.TRACES: trace_service_pb2.ExportTraceServiceRequest,
    Signal.LOGS: logs_service_pb2.ExportLogsServiceRequest,
    Signal.METRICS: metrics_service_pb2.ExportMetricsServiceRequest,
}


def descriptor_of(signal: Signal) -> Descriptor:
    """Describe the fields of a signal's request."""
    # Two classes by its type, one and the same to use.
    descriptor: Any = REQUESTS[signal].DESCRIPTOR
    return cast("Descriptor", descriptor)


_PACKAGE: Final = "fleetspan.check"
_SOURCES: Final[tuple[Any, ...]] = (
    common_pb2.DESCRIPTOR,
    resource_pb2.DESCRIPTOR,
    trace_pb2.DESCRIPTOR,
    logs_pb2.DESCRIPTOR,
    metrics_pb2.DESCRIPTOR,
    trace_service_pb2.DESCRIPTOR,
    logs_service_pb2.DESCRIPTOR,
    metrics_service_pb2.DESCRIPTOR,
)
_VALUES: Final = {"AnyValue", "KeyValue"}
_CONTAINERS: Final = {"ArrayValue", "KeyValueList"}


def _flat(
    messages: Iterable[descriptor_pb2.DescriptorProto],
) -> Iterable[descriptor_pb2.DescriptorProto]:
    for message in messages:
        yield message
        yield from _flat(message.nested_type)


def _checked(
    source: descriptor_pb2.DescriptorProto, *, level: int | None, inner: int
) -> descriptor_pb2.DescriptorProto:
    """Copy a message, pointing its values at nesting level ``inner``."""
    copy = descriptor_pb2.DescriptorProto(name=source.name)
    if level is not None:
        copy.name += str(level)
    # A proto3 `optional` field carries a oneof of its own, which editions do not want.
    synthetic = {f.oneof_index for f in source.field if f.proto3_optional}
    oneofs = [i for i in range(len(source.oneof_decl)) if i not in synthetic]
    for index in oneofs:
        copy.oneof_decl.add(name=source.oneof_decl[index].name)
    for field in source.field:
        new = copy.field.add(
            name=field.name, number=field.number, type=field.type, label=field.label
        )
        if field.HasField("oneof_index") and not field.proto3_optional:
            new.oneof_index = oneofs.index(field.oneof_index)
        if field.type == field.TYPE_ENUM:
            new.type = field.TYPE_INT32
        elif field.type_name:
            name = field.type_name.rsplit(".", 1)[1]
            if name in _VALUES or name in _CONTAINERS:
                name += str(inner)
            new.type_name = f".{_PACKAGE}.{name}"
    return copy


def _too_deep(name: str) -> descriptor_pb2.DescriptorProto:
    message = descriptor_pb2.DescriptorProto(name=name)
    never = message.field.add(name="too_deep", number=536870911, type=8, label=1)
    never.options.features.field_presence = (
        descriptor_pb2.FeatureSet.FieldPresence.LEGACY_REQUIRED
    )
    return message


def _build() -> dict[Signal, type[Message]]:
    file = descriptor_pb2.FileDescriptorProto(
        name="fleetspan/check.proto",
        package=_PACKAGE,
        syntax="editions",
        edition=descriptor_pb2.Edition.EDITION_2023,
    )
    file.options.features.field_presence = (
        descriptor_pb2.FeatureSet.FieldPresence.IMPLICIT
    )
    for source in _SOURCES:
        descriptor: FileDescriptor = source
        original = descriptor_pb2.FileDescriptorProto()
        descriptor.CopyToProto(original)
        for message in _flat(original.message_type):
            if message.name not in _VALUES | _CONTAINERS:
                file.message_type.append(_checked(message, level=None, inner=0))
                continue
            step = 1 if message.name in _CONTAINERS else 0
            last = MAX_CONTAINER_DEPTH - step
            for level in range(last + 1):
                file.message_type.append(
                    _checked(message, level=level, inner=level + step)
                )
            if step:
                file.message_type.append(
                    _too_deep(f"{message.name}{MAX_CONTAINER_DEPTH}")
                )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        signal: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{_PACKAGE}.{request.DESCRIPTOR.name}")
        )
        for signal, request in REQUESTS.items()
    }


# The checking request message of each signal.
CHECKED: Final = _build()

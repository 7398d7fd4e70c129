"""What is journaled that is no OTLP: messages made of a list of fields.

They are those of ``store/formats/journal.proto``, which the engine reads; a generated module
would need a compiler at every change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

KIND: Final = descriptor_pb2.FieldDescriptorProto
"""The kinds of fields, such as ``KIND.TYPE_STRING``."""

Fields = Sequence[tuple[str, int, bool]]
"""Name, kind and whether it is repeated; the first field has number 1."""

_PACKAGE: Final = "fleetspan.journal.v1"


def message_types(file_name: str, messages: Mapping[str, Fields]) -> dict[str, Any]:
    """Make the classes of some messages.

    Args:
        file_name: Names the file that they could have come from.
        messages: Fields by the name of the message.
    """
    file = descriptor_pb2.FileDescriptorProto(
        name=f"fleetspan/{file_name}.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for number, (field, kind, repeated) in enumerate(fields, start=1):
            label = KIND.LABEL_REPEATED if repeated else KIND.LABEL_OPTIONAL
            message.field.add(name=field, number=number, type=kind, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")
        )
        for name in messages
    }

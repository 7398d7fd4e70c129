"""Values nested deeper than the store reads, replaced by their JSON text."""

from __future__ import annotations

import base64
import math
import re
from typing import Any, Final

import orjson

from ._faults import Undecodable

_STEP: Final = re.compile(r"(\w+)(?:\[(\d+)\])?")
_CONTAINER: Final = re.compile(r"\.(?:array_value|kvlist_value)\b")


def flatten_deep_values(request: Any, paths: list[str]) -> int:
    """Replace each value that holds a container at a path by its JSON text.

    The whole value becomes one string, which is what a row shows of it anyway; text
    inside a container would be quoted twice.

    Args:
        request: An OTLP request; changed in place, unknown fields are kept.
        paths: Where the containers are, as in
            ``resource_spans[0].…attributes[1].value.….array_value.too_deep``.

    Returns:
        How many values were replaced.

    Raises:
        Undecodable: When a value cannot be written as JSON text.
    """
    # In order, each once: a value may be too deep in several places.
    values = dict.fromkeys(_CONTAINER.split(path, maxsplit=1)[0] for path in paths)
    for path in values:
        holder = request
        for name, index in _STEP.findall(path):
            holder = getattr(holder, name)
            if index:
                holder = holder[int(index)]
        holder.string_value = json_text(holder)
    return len(values)


def json_text(value: Any) -> str:
    """Write an OTLP value as JSON, as OpenTelemetry's collector does (``AsString``).

    Args:
        value: An ``AnyValue``.

    Returns:
        Its JSON text: bytes as base64, integers and doubles as numbers, NaN and the
        infinities as strings, an empty value as ``null``; of equal keys the last.
    """
    try:
        return orjson.dumps(_plain(value)).decode()
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise Undecodable(f"a value cannot be written as JSON: {error}") from None


def _plain(value: Any) -> object:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    inner = getattr(value, kind)
    if kind == "array_value":
        return [_plain(item) for item in inner.values]
    if kind == "kvlist_value":
        return {item.key: _plain(item.value) for item in inner.values}
    if kind == "bytes_value":
        return base64.b64encode(inner).decode()
    if kind == "double_value" and not math.isfinite(inner):
        return "NaN" if math.isnan(inner) else "Infinity" if inner > 0 else "-Infinity"
    plain: object = inner
    return plain

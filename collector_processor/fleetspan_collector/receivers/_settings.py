"""What a person may set about the receivers."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from .._errors import UsageError

MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSettings:
    """Limits of the OTLP receivers.

    Attributes:
        max_request_bytes: The largest request, in bytes after decompression (the OTLP
            specification recommends 64 MiB).
        max_parsed_bytes: The most memory, in bytes, that one request may need once
            decoded; it stops requests that are small on the wire and huge in memory.
        max_in_flight_bytes: Request bytes held at one time over all connections;
            beyond it, requests are refused and may be sent again.
        retry_after_s: When a refused client should try again, in seconds, above 0 and
            at most 2 (stock SDKs give up after about 10 s in all).
        body_timeout_s: How long a client may take to send a body, in seconds.
        allowed_hosts: Names, beyond the loopback ones and the address of the connection,
            that a ``Host`` header may carry; ``"*"`` allows every name.
        value_limit_bytes: The longest hook, or line of a transcript, that stands whole in
            its row, in bytes; 0 for any.
        keeps_state: Whether the state that applications send with a snapshot is kept.
    """

    max_request_bytes: int = 64 * MIB
    max_parsed_bytes: int = 256 * MIB
    max_in_flight_bytes: int = 256 * MIB
    retry_after_s: float = 1.0
    body_timeout_s: float = 60.0
    allowed_hosts: tuple[str, ...] = ()
    value_limit_bytes: int = MIB
    keeps_state: bool = True

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "value_limit_bytes" and value == 0:
                continue
            if isinstance(value, bool):
                continue
            if isinstance(value, int | float) and value <= 0:
                raise UsageError(
                    f"the receiver setting {field.name} is wrong",
                    because=f"{field.name} must be more than 0, got {value}",
                    suggestion=f"remove {field.name}, its default is {field.default}",
                )
        if self.retry_after_s > 2:
            raise UsageError(
                "the receiver setting retry_after_s is wrong",
                because=f"retry_after_s must be at most 2, got {self.retry_after_s}",
                suggestion="remove retry_after_s, its default is 1.0",
            )

"""The way from a request's bytes to the journal, the same for every protocol."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from google.protobuf.message import Message

from .._errors import Refused
from .._signals import Accepted, Signal, Sink, Submission
from ..access import ForbiddenError, Gate, Scope, UnauthenticatedError
from ..access.gate import key_of
from ..access.metrics import AccessMetrics
from ..redact import Protection
from ._admission import Admission, Reservation
from ._answers import Failure, export_response, failure_of
from ._faults import TooLarge, Undecodable, Unprotected
from ._json_text import shortened
from ._otlp_json import decode_json
from ._settings import ReceiverSettings
from ._validate import Verdict, validate
from .metrics import ReceiverMetrics

# Whose a request is, from its headers (lower-case names).
TenantOf = Callable[[Mapping[str, str]], str]

# Larger requests are decoded in a thread, one at a time: the event loop stays responsive
# and only one large request at a time needs memory for its decoded form.
_THREAD_FROM_BYTES = 1 << 20
# What may hold secrets is gone through in Python; so much of it takes milliseconds.
_REDACTED_IN_THREAD_FROM_BYTES = 1 << 14

Prepared = TypeVar("Prepared")

_FORESEEN = Undecodable | TooLarge | Refused | UnauthenticatedError | ForbiddenError

_log = logging.getLogger("fleetspan")


def no_tenant(headers: Mapping[str, str]) -> str:
    """Call every request the one tenant's: keys are not in use."""
    return ""


def tenant_by(gate: Gate, metrics: AccessMetrics | None = None) -> TenantOf:
    """Return what tells whose a request is: the tenant of the key that it shows.

    What it raises is `UnauthenticatedError` or `ForbiddenError`.

    Args:
        gate: Knows the keys.
        metrics: Counts who was turned away.
    """

    def tenant_of(headers: Mapping[str, str]) -> str:
        reason = "unauthenticated"
        try:
            identity = gate.identify(key_of(headers))
            reason = "forbidden"
            identity.require(Scope.INGEST)
        except (UnauthenticatedError, ForbiddenError):
            if metrics is not None:
                metrics.refused.labels("otlp", reason).inc()
            raise
        return identity.tenant

    return tenant_of


class Intake:
    """Validates requests, hands them on, and says how each is answered.

    Args:
        sink: Where validated requests go.
        settings: The limits.
        metrics: What is counted.
        tenant_of: Whose a request is.
        protection: Takes out what must not be kept; the defaults' unless given.
    """

    def __init__(
        self,
        sink: Sink,
        settings: ReceiverSettings,
        metrics: ReceiverMetrics,
        tenant_of: TenantOf = no_tenant,
        protection: Protection | None = None,
    ) -> None:
        self._protection = protection or Protection.by_default()
        self.settings = settings
        self.metrics = metrics
        self.tenant_of = tenant_of
        self.admission = Admission(
            settings.max_in_flight_bytes, settings.retry_after_s, metrics
        )
        self._sink = sink
        # Its own: the event loop's may be full of work that waits for us.
        self._large = ThreadPoolExecutor(1, thread_name_prefix="large-request")
        self._redaction = ThreadPoolExecutor(1, thread_name_prefix="redaction")
        self._logged: set[str] = set()

    async def export(
        self,
        signal: Signal,
        protocol: str,
        body: bytes,
        *,
        tenant: str,
        reservation: Reservation,
    ) -> Message:
        """Accept one OTLP export request.

        Args:
            signal: Which request it is.
            protocol: One of `metrics.PROTOCOLS`; ``http/json`` is decoded first.
            body: The request, decompressed.
            tenant: Whose it is.
            reservation: The room that it holds; resized when its bytes change.

        Returns:
            The response message, once what was accepted is durable.

        Raises:
            Undecodable: When it is malformed.
            TooLarge: When it is over a limit.
            Refused: When it cannot be accepted now.
        """
        verdict = await self._verdict(signal, protocol, body)
        reservation.resize(len(verdict.payload))
        if verdict.rows:
            await self.accept(
                Submission(
                    signal=signal,
                    tenant=tenant,
                    payload=verdict.payload,
                    rows=verdict.rows,
                )
            )
        self._count(signal, protocol, verdict)
        rejected = verdict.rejected_items
        message = ""
        if rejected:
            more = rejected - len(verdict.first)
            message = f"{rejected} rejected: " + "; ".join(verdict.first)
            message += f"; and {more} more" if more else ""
        return export_response(signal, rejected, message)

    async def prepare(self, size_bytes: int, work: Callable[[], Prepared]) -> Prepared:
        """Do the work on a request's bytes; for a large one in a thread, one at a time."""
        if size_bytes < _THREAD_FROM_BYTES:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._large, work)

    async def accept(self, submission: Submission) -> Accepted:
        """Hand a submission to the sink; a client that hangs up does not interrupt it.

        Every input of every protocol comes through here, and nothing else leads to the
        sink: what must not be kept is taken out here.
        """
        payload = await self._protect(submission.signal, submission.payload)
        if payload is not submission.payload:
            submission = replace(submission, payload=payload)
        task = asyncio.ensure_future(self._sink.accept(submission))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_retrieve)
            raise

    async def _protect(self, signal: Signal, payload: bytes) -> bytes:
        """Return what may be kept of a payload: mostly the same object.

        Raises:
            Unprotected: When it cannot be told; nothing is kept then.
        """
        if signal is Signal.SNAPSHOT_CHUNKS:
            # An application's own bytes, which it wants back unchanged, or hash and all
            # would be for nothing. Who does not want them here sets `snapshot_state`.
            return payload
        size_bytes = len(payload)
        if size_bytes < _REDACTED_IN_THREAD_FROM_BYTES:
            return self._protected(signal, payload)
        if size_bytes < _THREAD_FROM_BYTES and not self._protection.wants(payload):
            return payload
        return await asyncio.get_running_loop().run_in_executor(
            self._redaction, self._protected, signal, payload
        )

    def _protected(self, signal: Signal, payload: bytes) -> bytes:
        limit_bytes = self.settings.value_limit_bytes
        try:
            if not self._protection.wants(payload):
                return payload
            return self._protection.apply(
                signal, payload, lambda text: shortened(text, limit_bytes)
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, it may hold content
            raise Unprotected(error) from None

    def failure(self, error: Exception, signal: str, protocol: str) -> Failure:
        """Say how an error is answered, and count it; log a fault of ours once."""
        failure = failure_of(error, retry_after_s=self.settings.retry_after_s)
        failure = replace(failure, message=self._protection.message(failure.message))
        self.metrics.refused.labels(signal, protocol, failure.reason).inc()
        if not isinstance(error, _FORESEEN):
            self.metrics.internal_faults.labels(signal, protocol).inc()
            self._log_once(error)
        return failure

    async def _verdict(self, signal: Signal, protocol: str, body: bytes) -> Verdict:
        if len(body) > self.settings.max_request_bytes:
            raise TooLarge(
                "request_bytes",
                f"the request has {len(body)} bytes, "
                f"at most {self.settings.max_request_bytes} are allowed",
            )
        return await self.prepare(
            len(body), lambda: self._check(signal, protocol, body)
        )

    def _check(self, signal: Signal, protocol: str, body: bytes) -> Verdict:
        limit_bytes = self.settings.max_parsed_bytes
        if protocol == "http/json":
            body = decode_json(signal, body, max_parsed_bytes=limit_bytes)
        return validate(signal, body, max_parsed_bytes=limit_bytes)

    def _count(self, signal: Signal, protocol: str, verdict: Verdict) -> None:
        metrics = self.metrics
        metrics.requests.labels(signal, protocol).inc()
        metrics.items.labels(signal, protocol).inc(verdict.rows)
        metrics.bytes.labels(signal, protocol).inc(len(verdict.payload))
        for reason, count in verdict.rejected.items():
            metrics.rejected.labels(signal, reason).inc(count)
        if verdict.rewritten_values:
            metrics.rewritten_values.labels(signal).inc(verdict.rewritten_values)

    def _log_once(self, error: Exception) -> None:
        # The same fault usually hits every request; its count is in the metrics.
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = (
            f"{place.tb_frame.f_code.co_qualname}:{place.tb_lineno}" if place else ""
        )
        key = f"{type(error).__name__} {where}"
        if key not in self._logged:
            self._logged.add(key)
            _log.error(
                "a request failed inside the collector (%s); "
                "further ones like it are only counted\n%s",
                key,
                # Not `exc_info`: an error's text may quote what was sent.
                self._protection.message("".join(traceback.format_exception(error))),
            )


def _retrieve(task: asyncio.Future[Accepted]) -> None:
    """Look at a result that nobody waits for, so that asyncio does not complain."""
    if not task.cancelled():
        task.exception()

"""A hook that is an address: findings are posted to it, signed."""

from __future__ import annotations

import email.utils
import http.client
import importlib.metadata
import math
import time
from collections.abc import Sequence
from typing import Final

from fleetspan_collector.config._hook import Hook
from fleetspan_collector.notify._destination import Outcome, Verdict, Wanted, clip
from fleetspan_collector.notify._notice import Notice
from fleetspan_collector.notify._post import Answer, Poster
from fleetspan_collector.notify._signature import key_of, sign
from fleetspan_collector.processors.finding import Severity

_TOO_MANY: Final = 429
_AGENT: Final = f"fleetspan/{importlib.metadata.version('fleetspan')}"


class Webhook:
    """Posts each finding.

    Args:
        hook: Where to, and of what.
        secret: Signs what is posted; ``""`` for no signature.

    Raises:
        ValueError: When the secret cannot be used.
    """

    together = 1

    def __init__(self, hook: Hook, secret: str) -> None:
        self.name = hook.name
        self.wanted = Wanted(
            detectors=hook.detectors, rank=Severity(hook.min_severity).rank
        )
        self.attempts: int | None = hook.attempts
        self._key = key_of(secret) if secret else None
        self._secrets = (secret, secret.removeprefix("whsec_"))
        self._poster = Poster(hook.url, hook.timeout_s)

    def deliver(self, notices: Sequence[Notice], attempt: int) -> Sequence[Verdict]:
        """Post a finding."""
        return [self._deliver(notice) for notice in notices]

    def interrupt(self) -> None:
        """End at once what is under way."""
        self._poster.interrupt()

    def _deliver(self, notice: Notice) -> Verdict:
        try:
            answer = self._poster.post(self._headers(notice), notice.body)
        except (OSError, http.client.HTTPException) as error:
            problem = f"{type(error).__name__}: {error}".rstrip(": ")
            return Verdict(
                outcome=Outcome.RETRY,
                answer=clip(problem, self._secrets),
                unreachable=True,
            )
        return self._verdict(answer)

    def _headers(self, notice: Notice) -> dict[str, str]:
        delivery = notice.delivery_id(self.name)
        now_s = int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": _AGENT,
            "x-fleetspan-delivery": delivery,
            "webhook-id": delivery,
            "webhook-timestamp": str(now_s),
        }
        if self._key is not None:
            signature = sign(self._key, delivery, now_s, notice.body)
            headers["webhook-signature"] = signature
        return headers

    def _verdict(self, answer: Answer) -> Verdict:
        text = clip(answer.body.decode("utf-8", "replace"), self._secrets)
        if 200 <= answer.status < 300:
            return Verdict(outcome=Outcome.DELIVERED, code=answer.status, answer=text)
        if answer.status == _TOO_MANY or answer.status >= 500:
            return Verdict(
                outcome=Outcome.RETRY,
                code=answer.status,
                answer=text,
                retry_after_s=retry_after_s(answer.retry_after),
            )
        if 300 <= answer.status < 400:
            text = "redirects are not followed"
        return Verdict(outcome=Outcome.REFUSED, code=answer.status, answer=text)


def retry_after_s(header: str) -> float | None:
    """How many seconds a Retry-After header asks to wait; None when it says nothing."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(header)
            seconds = moment.timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None

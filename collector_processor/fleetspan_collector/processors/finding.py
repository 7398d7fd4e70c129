"""What a processor says about a run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How much it matters, least first."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the least."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something worth acting on, with what proves it and what it costs.

    Attributes:
        location: Where in the run, as a short text that stays the same when the run is
            looked at again, and that no other finding of the same processor in the run
            has: ids and hashes, never row numbers.
        severity: How much it matters.
        what: What is the case, in one sentence with numbers.
        advice: What to change, in one sentence.
        agents: Rows of ``run.agents`` that prove it.
        calls: Rows of ``run.llm_calls`` that prove it.
        tools: Rows of ``run.tool_calls`` that prove it.
        seconds: Wall time that the advice saves: of the whole run, as recomputed along
            its critical path. 0 when it saves none; None only when that is not known.
        usd: US dollars that the advice saves, likewise.
        at_ns: When it began, Unix nanoseconds; None: with the first of the evidence.
        details: Numbers and words behind the sentence, by name.
    """

    location: str
    severity: Severity
    what: str
    advice: str
    agents: tuple[int, ...] = ()
    calls: tuple[int, ...] = ()
    tools: tuple[int, ...] = ()
    seconds: float | None = None
    usd: float | None = None
    at_ns: int | None = None
    details: Mapping[str, str | int | float] = field(default_factory=dict)


def finding_id(tenant: str, run_id: str, detector: str, location: str) -> str:
    """The id of a finding: the same whenever and wherever it is found again."""
    place = f"{tenant}\0{run_id}\0{detector}\0{location}".encode()
    return hashlib.blake2b(place, digest_size=8).hexdigest()

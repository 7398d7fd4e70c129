"""Which events a listener wants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from fleetspan_collector._errors import UsageError
from fleetspan_collector.live.event import KINDS, SEVERITIES, Event

PARAMETERS: Final = ("agent", "session", "run", "group", "kind", "severity")
_MOST_VALUES: Final = 100
_MOST_LENGTH: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a listener wants; an empty set wants everything.

    Attributes:
        sees: Whose events alone; ``None`` for everybody's.
        agents: Names or ids of agents.
        sessions: Ids of sessions.
        runs: Ids of runs.
        groups: Traces, or sessions of Claude Code.
        kinds: Kinds of events.
        severity: The least severity, as an index.
    """

    sees: str | None = None
    agents: frozenset[str] = frozenset()
    sessions: frozenset[str] = frozenset()
    runs: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    severity: int = 0

    def wants(self, event: Event) -> bool:
        """Tell whether an event is to be sent."""
        return (
            (self.sees is None or event.tenant == self.sees)
            and event.severity >= self.severity
            and (not self.kinds or event.kind in self.kinds)
            and (not self.groups or event.group in self.groups)
            and (not self.runs or event.run_id in self.runs)
            and (not self.sessions or event.session_id in self.sessions)
            and (
                not self.agents
                or event.agent in self.agents
                or event.agent_id in self.agents
            )
        )


def read_filter(parameters: Iterable[tuple[str, str]], sees: str | None) -> Filter:
    """Read a filter from the parameters of a request.

    Args:
        parameters: Names and values; others than `PARAMETERS` are not looked at.
        sees: Whose events alone.

    Raises:
        UsageError: When one cannot be used.
    """
    given: dict[str, list[str]] = {name: [] for name in PARAMETERS}
    for name, value in parameters:
        if name in given:
            given[name] += [each for each in value.split(",") if each]
    for name, values in given.items():
        if len(values) > _MOST_VALUES or any(len(v) > _MOST_LENGTH for v in values):
            raise UsageError(
                f"the filter {name} cannot be used",
                because=f"it has over {_MOST_VALUES} values, or one of over "
                f"{_MOST_LENGTH} characters",
                suggestion=f"fewer values of {name}",
            )
    return Filter(
        sees=sees,
        agents=frozenset(given["agent"]),
        sessions=frozenset(given["session"]),
        runs=frozenset(given["run"]),
        groups=frozenset(given["group"]),
        kinds=frozenset(_known("kind", given["kind"], KINDS)),
        severity=min(
            (
                SEVERITIES.index(s)
                for s in _known("severity", given["severity"], SEVERITIES)
            ),
            default=0,
        ),
    )


def _known(name: str, values: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    for value in values:
        if value not in known:
            raise UsageError(
                f"the filter {name}={value[:80]!r} cannot be used",
                because=f"expected one of {', '.join(known)}",
                suggestion=f"?{name}={known[0]}",
            )
    return values

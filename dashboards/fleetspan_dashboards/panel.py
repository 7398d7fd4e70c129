"""What a dashboard is made of, apart from how Grafana writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """How a panel shows its rows."""

    STAT = "stat"
    TIME_SERIES = "timeseries"
    TABLE = "table"
    STATE_TIMELINE = "state-timeline"
    BAR_GAUGE = "bargauge"
    NODE_GRAPH = "nodeGraph"
    TRACE = "traces"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel.

    Attributes:
        title: What it shows, in few words.
        description: What that means, and what to make of it.
        kind: How.
        sql: The query, with the macros of Grafana's ClickHouse plugin. Time series have
            ``time`` first, then a label, then values.
        edges: Of a node graph: the query of its edges.
        unit: Grafana's name of the unit of its values.
        units: Of columns of a table, by name.
        width: Of 24 columns.
        height: In rows of the grid.
        stacked: Whether series stand on each other.
        thresholds: Colours by the value from which they hold.
        links: Paths that a column's value leads to, by its name.
        may_be_empty: Why it may show nothing although there is data; ``""`` when not.
    """

    title: str
    description: str
    kind: Kind
    sql: str
    edges: str = ""
    unit: str = "short"
    units: Mapping[str, str] = field(default_factory=dict)
    width: int = 12
    height: int = 8
    stacked: bool = False
    thresholds: Sequence[tuple[str, float | None]] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    may_be_empty: str = ""


def stat(
    *,
    title: str,
    description: str,
    sql: str,
    unit: str = "short",
    width: int = 4,
    thresholds: Sequence[tuple[str, float | None]] = (),
) -> Panel:
    """Return a panel of one figure."""
    return Panel(
        title=title,
        description=description,
        kind=Kind.STAT,
        sql=sql,
        unit=unit,
        width=width,
        height=4,
        thresholds=thresholds,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What narrows a dashboard: some values of a column, all of them at first.

    Attributes:
        name: Of the variable.
        label: What people read.
        sql: The query of its values; may name the choices before it.
    """

    name: str
    label: str
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard.

    Attributes:
        name: Of its file and in its uid, which stays the same for ever.
        title: What it is about.
        description: For whom, and for which question.
        panels: In reading order.
        hours: How far back it looks unless told.
        run: Whether it is about one run, which ``$run`` names.
        choices: What narrows it, each by those before it.
    """

    name: str
    title: str
    description: str
    panels: Sequence[Panel]
    hours: int = 24
    run: bool = False
    choices: Sequence[Choice] = ()

    @property
    def uid(self) -> str:
        """How Grafana knows it."""
        return f"fleetspan-{self.name}"

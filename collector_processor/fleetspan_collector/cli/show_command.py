"""``fleetspan show RUN``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fleetspan_collector._errors import CollectorError
from fleetspan_collector.cli._invocation import Invocation
from fleetspan_collector.cli._source import Source, open_source
from fleetspan_collector.cli._style import STATUS_STYLES, status_text, when
from fleetspan_collector.cli._text import count, duration, plain, usd
from fleetspan_collector.cli.ls_command import cost_text, total_tokens
from fleetspan_collector.insights.findings import FindingRow, read_findings
from fleetspan_collector.store.rows import AgentRow, RunDetail

RunId = Annotated[
    str, typer.Argument(metavar="RUN", help="Id of a run, or an unambiguous beginning.")
]
_MIN_BAR: Final = 10
_NAME_WIDTH: Final = 44
_DEEPEST_SHOWN: Final = 12
_CENTS_OFF: Final = 0.00005
"""US dollars that four decimals do not show."""


def show(invocation: Invocation, run: RunId) -> None:
    """Show one run: its agents as a tree, with a waterfall, tokens, cost and errors."""
    with open_source(invocation.load().settings) as source:
        detail = source.run(run)
        findings = [] if invocation.json else _findings(source, detail["run_id"])
    if invocation.json:
        invocation.write_json(dict(detail))
        return
    print_run(detail, invocation.out)
    if findings:
        invocation.out.print()
        invocation.out.print(Text(_findings_line(detail["run_id"], findings)))


def _findings(source: Source, run_id: str) -> list[FindingRow]:
    # A collector of an older version knows no findings; the run is shown all the same.
    with contextlib.suppress(CollectorError):
        return read_findings(source, run_id=run_id)
    return []


def _findings_line(run_id: str, findings: list[FindingRow]) -> str:
    """Say how many findings there are, how grave, and where to read on."""
    number, worst = len(findings), findings[0]["severity"]
    names = ", ".join(dict.fromkeys(plain(each["detector"]) for each in findings))
    command = f"fleetspan explain {plain(run_id)[:12]}"
    things = "finding" if number == 1 else "findings"
    return f"{number} {things}, the gravest {worst}: {names}; {command}"


def print_run(run: RunDetail, out: Console) -> None:
    """Print one run for people."""
    title = Text(plain(run["name"] or "?"), style="bold")
    out.print(title.append("  ").append_text(status_text(run["status"])))
    out.print(Text(f"run {plain(run['run_id'])}"))
    if run["session_id"] is not None and run["session_id"] != run["run_id"]:
        out.print(Text(f"session {plain(run['session_id'])}"))
    out.print(
        Text(f"started {when(run['started_at'])}, took {duration(run['duration_s'])}")
    )
    out.print(Text(_tokens_line(run)))
    out.print()
    out.print(agents_table(run, out.width))


def _tokens_line(run: RunDetail) -> str:
    parts = [
        f"{count(run['input_tokens'])} in",
        f"{count(run['cache_read_tokens'])} cache read",
        f"{count(run['cache_write_tokens'])} cache write",
        f"{count(run['output_tokens'])} out",
    ]
    unpriced = run["unpriced_calls"]
    priceless = (
        f" ({unpriced} of {run['llm_calls']} calls unpriced)" if unpriced else ""
    )
    calls = f"{run['llm_calls']} calls, {run['tool_calls']} tool calls"
    return (
        f"{len(run['agents'])} agents, {calls}, {run['errors']} errors; "
        f"tokens: {', '.join(parts)}; cost: {cost_text(run)}{priceless}{_reported(run)}"
    )


def _reported(run: RunDetail) -> str:
    """Say what the provider, or the client, says that the run cost, and how far off we are."""
    theirs, difference = run["reported_cost_usd"], run["cost_difference_usd"]
    if theirs is None:
        return ""
    if difference is None:
        return f", reported {usd(theirs)}"
    sign = "-" if difference < 0 else "+"
    apart = "the same" if abs(difference) < _CENTS_OFF else sign + usd(abs(difference))
    return f", reported {usd(theirs)} (ours: {apart})"


def agents_table(run: RunDetail, width: int) -> Table:
    """Make the tree of agents with a bar each over the run's wall time.

    Columns go, least wanted first, as the terminal narrows.
    """
    wide, middling = width >= 110, width >= 76
    nodes = list(tree(run["agents"]))
    names = [_name(node) for node in nodes]
    longest = max((name.cell_len for name in names), default=0)
    name_width = min(longest, _NAME_WIDTH, max(16, width // 3))
    # What the other columns take, gaps included.
    others = 18 + (16 if middling else 0) + (25 if wide else 0)
    bar_width = width - name_width - others - 4
    table = _empty_table(name_width, bar_width, wide=wide, middling=middling)
    bars = waterfall(run, [node.agent for node in nodes], max(bar_width, _MIN_BAR))
    for node, name, bar in zip(nodes, names, bars, strict=True):
        cells = [name, bar] if bar_width >= _MIN_BAR else [name]
        table.add_row(*cells, *_figures(node.agent, wide=wide, middling=middling))
    return table


def _empty_table(
    name_width: int, bar_width: int, *, wide: bool, middling: bool
) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("agent", no_wrap=True, overflow="ellipsis", max_width=name_width)
    if bar_width >= _MIN_BAR:
        table.add_column("when", no_wrap=True, width=bar_width)
    if wide:
        table.add_column("status", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    if middling:
        table.add_column("tokens", justify="right", no_wrap=True)
    table.add_column("cost", justify="right", no_wrap=True)
    if middling:
        table.add_column("errors", justify="right", no_wrap=True)
    if wide:
        table.add_column(
            "failed tools", no_wrap=True, overflow="ellipsis", max_width=20
        )
    return table


def _figures(agent: AgentRow, *, wide: bool, middling: bool) -> list[Text]:
    """Return an agent's cells behind its bar."""
    cells = [status_text(agent["status"])] if wide else []
    cells.append(Text(duration(agent["duration_s"])))
    if middling:
        cells.append(Text(count(total_tokens(agent))))
    cells.append(Text(cost_text(agent)))
    if middling:
        cells.append(Text(str(agent["errors"]), style="red" if agent["errors"] else ""))
    if wide:
        cells.append(Text(", ".join(plain(tool) for tool in agent["failed_tools"])))
    return cells


@dataclass(frozen=True, slots=True)
class Node:
    """An agent at its place in the tree.

    Attributes:
        agent: The agent.
        lead: The lines drawn before its name.
    """

    agent: AgentRow
    lead: str


def tree(agents: list[AgentRow]) -> Iterator[Node]:
    """Yield every agent once, parents before children, siblings by start.

    An agent whose parent is not among them stands at the top; so does one agent of a
    circle of parents, with the rest of the circle below it.
    """
    known = {agent["agent_id"] for agent in agents}
    children: dict[str | None, list[AgentRow]] = {}
    for agent in sorted(agents, key=lambda each: each["started_at"] or ""):
        parent = agent["parent"] if agent["parent"] in known else None
        children.setdefault(parent, []).append(agent)
    seen: set[str] = set()
    tops = [*children.get(None, []), *agents]
    for top in tops:
        # A stack, not recursion: a fleet may be deeper than Python's own limit.
        waiting = [Node(top, "")] if top["agent_id"] not in seen else []
        while waiting:
            node = waiting.pop()
            agent_id = node.agent["agent_id"]
            if agent_id in seen:
                continue
            seen.add(agent_id)
            yield node
            waiting.extend(_below(node, children.get(agent_id, [])))


def _below(node: Node, children: list[AgentRow]) -> list[Node]:
    """Return the children's nodes, last first, as a stack wants them."""
    lead = node.lead.replace("├─", "│ ").replace("└─", "  ")
    if len(lead) > 2 * _DEEPEST_SHOWN:
        lead = "… " + lead[4:]
    nodes = [Node(child, lead + "├─") for child in children[:-1]]
    nodes += [Node(child, lead + "└─") for child in children[-1:]]
    return nodes[::-1]


def _name(node: Node) -> Text:
    agent = node.agent
    name = plain(agent["name"] or agent["type"] or agent["agent_id"])
    style = STATUS_STYLES.get(agent["status"], "")
    mark = {"error": " ✗", "running": " …", "abandoned": " ?"}.get(agent["status"], "")
    kind = agent["type"]
    aside = f" ({plain(kind)})" if kind and kind != agent["name"] else ""
    text = Text(node.lead, style="dim").append(name, style="not dim")
    return text.append(aside).append(mark, style=style)


def waterfall(run: RunDetail, agents: list[AgentRow], width: int) -> list[Text]:
    """Return a bar per agent: where in the run's wall time it was at work.

    Args:
        run: Its start and duration are what the whole width stands for; agents that
            reach beyond stretch it.
        agents: The agents, in the order of the bars.
        width: Characters of each bar.
    """
    spells = [_spell(agent["started_at"], agent["duration_s"]) for agent in agents]
    whole = _spell(run["started_at"], run["duration_s"])
    known = [spell for spell in (*spells, whole) if spell is not None]
    if not known:
        return [Text("") for _ in agents]
    first = min(start for start, _ in known)
    length_s = max(max(end for _, end in known) - first, 1e-9)
    bars = []
    for agent, spell in zip(agents, spells, strict=True):
        if spell is None:
            bars.append(Text(""))
            continue
        start = min(int((spell[0] - first) / length_s * width), width - 1)
        end = round((spell[1] - first) / length_s * width)
        size = max(end - start, 1)
        bar = Text(" " * start).append(
            "━" * size, STATUS_STYLES.get(agent["status"], "")
        )
        bars.append(bar)
    return bars


def _spell(
    started_at: str | None, duration_s: float | None
) -> tuple[float, float] | None:
    """Return start and end in seconds since 1970; ``None`` when not known."""
    if started_at is None:
        return None
    try:
        start = datetime.fromisoformat(started_at).timestamp()
    except ValueError:
        return None
    return start, start + (duration_s or 0.0)

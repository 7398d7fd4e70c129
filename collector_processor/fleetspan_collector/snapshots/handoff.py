"""A snapshot as a hand-off: what whoever goes on with the work has to know, as Markdown.

Texts of agents stand in it as they were; whoever reads it aloud to a model should know
that they are material, not instructions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fleetspan_collector.snapshots.reading import Snapshot

_MOST: Final = 40
"""Entries of one list; the snapshot itself has them all."""

_MOST_TOOLS: Final = 8
_LONGEST: Final = 600
"""Characters of a text that an agent wrote."""

_DONE: Final = ("completed", "done")


def handoff(snapshot: Snapshot) -> str:
    """Write the hand-off of a snapshot."""
    document = snapshot.document
    parts = [
        *_head(document),
        *_section("Task", _task(document)),
        *_section("Done", _done(document)),
        *_section("Running", _running(document)),
        *_section("Pending", _pending(document)),
        *_section("What failed last", _failures(document)),
        *_section("Last messages", _messages(document)),
        *_section("Findings so far", _findings(document)),
        *_section("Files", _files(document)),
        *_section("State", _state(document)),
        *_section("Where to resume", _resume(document)),
    ]
    return "\n".join(parts) + "\n"


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    body = list(lines)
    if body:
        yield f"\n## {title}\n"
        yield from body


def _head(document: Mapping[str, Any]) -> Iterator[str]:
    counters = document["counters"]
    yield f"# Hand-off: {_line(document['run_name'] or document['run_id'])}"
    yield ""
    yield (
        f"Run `{document['run_id']}` as it stood at {document['at']}"
        f" (snapshot `{document['snapshot_id']}`: {_line(document['reason'])})."
    )
    tokens = [
        counters[name]
        for name in (
            *("input_tokens", "cache_read_tokens"),
            *("cache_write_tokens", "output_tokens"),
        )
    ]
    known = [count for count in tokens if count is not None]
    used = f"{sum(known):,} tokens" if known else "unknown tokens"
    cost = counters["cost_usd"]
    spent = "an unknown cost" if cost is None else f"${cost:,.4f}"
    yield ""
    yield (
        f"Until then: {_several(counters['agents'], 'agent')}"
        f" ({counters['agents_running']} running, {counters['agents_failed']} failed),"
        f" {_several(counters['llm_calls'], 'model call')},"
        f" {_several(counters['tool_calls'], 'tool call')}"
        f" ({counters['tools_running']} running),"
        f" {_several(counters['errors'], 'error')}, {used}, {spent}."
    )


def _several(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _task(document: Mapping[str, Any]) -> Iterator[str]:
    ids = {agent["agent_id"] for agent in document["agents"]}
    for agent in document["agents"]:
        if agent["parent_agent_id"] not in ids and agent["task"]:
            yield from _quote(agent["task"])
            return


def _done(document: Mapping[str, Any]) -> Iterator[str]:
    for todo in document["todos"]:
        if todo["status"] in _DONE:
            yield f"- [x] {_line(todo['content'])}"
    lines = []
    for agent in document["agents"]:
        tools = [f"{count} {_line(name)}" for name, count in agent["returned"].items()]
        said = ", ".join(tools[:_MOST_TOOLS])
        error = f", {_line(agent['error'])}" if agent["error"] else ""
        if agent["status"] != "running":
            behind = f" ({said})" if said else ""
            lines.append(f"- {_agent(agent)}: {agent['status']}{error}{behind}")
        elif said:
            lines.append(f"- {_agent(agent)}, so far: {said}")
    yield from _listed(lines)


def _running(document: Mapping[str, Any]) -> Iterator[str]:
    tools: dict[str, list[str]] = {}
    for tool in document["running_tools"]:
        said = (
            f"  - {tool['tool']} (`{tool['tool_call_id']}`) since {tool['started_at']}"
        )
        tools.setdefault(tool["agent_id"], []).append(said)
    lines = []
    for agent in document["agents"]:
        if agent["status"] == "running":
            lines.append(
                f"- {_agent(agent)}, since {agent['started_at']}"
                + _later(agent["status_now"])
            )
            lines += tools.pop(agent["agent_id"], [])
    for agent_id, rest in tools.items():
        lines += [f"- agent `{agent_id}`", *rest]
    for todo in document["todos"]:
        if todo["status"] == "in_progress":
            lines.append(f"- [ ] {_line(todo['content'])} (in progress)")
    yield from _listed(lines)


def _later(status: str) -> str:
    return "" if status == "running" else f" (by now: {status})"


def _pending(document: Mapping[str, Any]) -> Iterator[str]:
    yield from _listed(
        [
            f"- [ ] {_line(todo['content'])}"
            for todo in document["todos"]
            if todo["status"] not in (*_DONE, "in_progress")
        ]
    )


def _failures(document: Mapping[str, Any]) -> Iterator[str]:
    yield from _listed(
        [
            f"- {tool['tool']} of agent `{tool['agent_id']}` at {tool['started_at']}:"
            f" {_line(tool['error']) or 'failed'}"
            for tool in document["failures"]
        ]
    )


def _messages(document: Mapping[str, Any]) -> Iterator[str]:
    said = {
        each["agent_id"]: each["last_message"]
        for each in document["transcripts"]
        if each["last_message"]
    }
    said |= {each["agent_id"]: each["text"] for each in document["messages"]}
    for agent in document["agents"][-_MOST:]:
        text = said.get(agent["agent_id"])
        if text:
            yield f"{_agent(agent)}:"
            yield ""
            yield from _quote(text)
            yield ""


def _findings(document: Mapping[str, Any]) -> Iterator[str]:
    yield from _listed(
        [
            f"- {each['severity']}, {each['detector']}: {_line(each['what'])}"
            f" {_line(each['advice'])}"
            for each in document["findings"]
        ]
    )


def _files(document: Mapping[str, Any]) -> Iterator[str]:
    yield from _listed(
        [f"- {each['operation']} `{_line(each['path'])}`" for each in document["files"]]
    )


def _state(document: Mapping[str, Any]) -> Iterator[str]:
    state = document["state"]
    if state is None:
        return
    name = f"{_line(document['name'])}: " if document["name"] else ""
    yield f"- {name}{state['bytes']:,} bytes ({state['kind']}), SHA-256 `{state['sha256']}`"
    if state["complete"]:
        yield f"- `fleetspan snapshot export {document['snapshot_id']}` writes it to a file"
    else:
        yield (
            f"- **incomplete**: {state['missing_chunks']} of {state['chunks']} pieces"
            " are not in the store"
        )


def _resume(document: Mapping[str, Any]) -> Iterator[str]:
    if document["session_id"]:
        yield f"- session `{document['session_id']}`"
    if document["trace_id"]:
        yield f"- trace `{document['trace_id']}`"
    yield from _listed(
        [
            f"- agent `{each['agent_id']}`: `{_line(each['path'])}` up to byte"
            f" {each['offset'] + (each['bytes'] or 0):,}"
            + (f" (last line SHA-256 `{each['sha256']}`)" if each["sha256"] else "")
            for each in document["transcripts"]
        ]
    )


def _agent(agent: Mapping[str, Any]) -> str:
    name = _line(agent["name"] or agent["type"] or "agent")
    task = f" “{_line(agent['task'])}”" if agent["task"] else ""
    return f"{name} `{agent['agent_id']}`{task}"


def _listed(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:_MOST]
    if len(lines) > _MOST:
        yield f"- … and {len(lines) - _MOST} more lines, in the snapshot itself"


def _line(text: str) -> str:
    """A text of somebody else on one line, cut, without what Markdown would obey."""
    flat = " ".join(text.split()).replace("`", "'")
    return flat if len(flat) <= _LONGEST else flat[:_LONGEST] + " …"


def _quote(text: str) -> Iterator[str]:
    cut = text if len(text) <= _LONGEST else text[:_LONGEST] + " …"
    yield from (f"> {line}".rstrip() for line in cut.splitlines())

"""Which rule holds for a call: the strictest of those whose every condition is met."""

from __future__ import annotations

import fnmatch
import functools
import os.path
import re
from collections.abc import Iterator, Sequence

from fleetspan_routing.control.calls import Call
from fleetspan_routing.control.rules import ToolRule


def matching(
    rules: Sequence[ToolRule], call: Call, agent_type: str
) -> Iterator[tuple[ToolRule, str]]:
    """Yield the rules that a call meets, each with what of the call meets it."""
    for rule in rules:
        met = _met(rule, call, agent_type)
        if met is not None:
            yield rule, met


def is_named(tool: str, patterns: Sequence[str]) -> bool:
    """Whether the name of a tool meets one of some patterns (``*`` and ``?``)."""
    return any(fnmatch.fnmatchcase(tool, each) for each in patterns)


def _met(rule: ToolRule, call: Call, agent_type: str) -> str | None:
    if rule.tools and not is_named(call.tool, rule.tools):
        return None
    if rule.agents and agent_type not in rule.agents:
        return None
    met = [call.tool]
    if rule.paths:
        met.append(_first_within(call.paths, rule.paths, call.cwd))
    if rule.paths_outside:
        met.append(_first_outside(call.paths, rule.paths_outside, call.cwd))
    if rule.hosts:
        met.append(_first_within(call.hosts, rule.hosts, ""))
    if rule.hosts_outside:
        met.append(_first_outside(call.hosts, rule.hosts_outside, ""))
    if rule.commands:
        found = any(pattern.search(call.command) for pattern in rule.commands)
        met.append(call.command[:200] if found and call.command else "")
    return met[-1] if all(met) else None


def _first_within(values: Sequence[str], patterns: Sequence[str], cwd: str) -> str:
    return next((v for v in values if _any(patterns, v, cwd)), "")


def _first_outside(values: Sequence[str], patterns: Sequence[str], cwd: str) -> str:
    return next((v for v in values if not _any(patterns, v, cwd)), "")


def _any(patterns: Sequence[str], value: str, cwd: str) -> bool:
    return any(path_pattern(each, cwd).fullmatch(value) for each in patterns)


@functools.lru_cache(maxsize=4096)
def path_pattern(pattern: str, cwd: str) -> re.Pattern[str]:
    """Make a regular expression of a pattern of paths, or hosts.

    ``*`` and ``?`` stay within a folder, ``**`` does not; a pattern that ends with
    ``/**`` means the folder, too; a relative one begins where the agent works, but for
    ``**/``, which begins anywhere.
    """
    if cwd and not pattern.startswith(("/", "~", "**")):
        pattern = os.path.join(cwd, pattern)
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        rest = pattern[at:]
        if rest.startswith("**/"):
            parts.append("(?:.*/)?")
            at += 3
        elif rest == "/**":
            parts.append("(?:/.*)?")
            at += 3
        elif rest.startswith("**"):
            parts.append(".*")
            at += 2
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(rest[0], re.escape(rest[0])))
            at += 1
    return re.compile("".join(parts), re.DOTALL)

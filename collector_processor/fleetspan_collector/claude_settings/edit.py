"""Put what is wanted into a settings text, and take it out again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from fleetspan_collector._errors import UsageError
from fleetspan_collector.claude_settings import json_text
from fleetspan_collector.claude_settings.wanted import Handler, Wanted, is_ours


@dataclass(frozen=True, slots=True)
class Conflict:
    """A setting that somebody has set to something else.

    Attributes:
        name: ``env.NAME`` or ``statusLine``.
        found: What is there.
        wanted: What we would have written.
    """

    name: str
    found: object
    wanted: object


@dataclass(slots=True)
class Added:
    """What was put in, so that exactly this can be taken out.

    Attributes:
        env: Value written, by name.
        before: Value that ``--force`` replaced, by name of the variable.
        created: Objects and arrays that were not there, outermost first.
        status_line: The status line written, if one was.
        status_line_before: The status line that ``--force`` replaced.
    """

    env: dict[str, str] = field(default_factory=dict)
    before: dict[str, object] = field(default_factory=dict)
    created: list[list[str]] = field(default_factory=list)
    status_line: Handler | None = None
    status_line_before: object = None

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_json` returned."""
        return cls(**document)


def put_in(
    text: str, wanted: Wanted, *, force: bool
) -> tuple[str, Added, list[Conflict]]:
    """Add what is missing; what somebody has set to something else stays.

    Args:
        text: The settings; blank counts as an empty object.
        wanted: What is to be there.
        force: Replace other values too.

    Returns:
        The new text, what was added, and what stands in the way.

    Raises:
        UsageError: When the text is not the JSON of a settings file.
    """
    settings = read(text)
    if not text.strip():
        text += "{}\n"
    added, conflicts = Added(), []
    env, hooks = settings.get("env", {}), settings.get("hooks", {})
    for name in ("env", "hooks"):
        if name not in settings:
            added.created.append([name])
            text = json_text.add_member(text, (), name, {})
    for name, value in wanted.env.items():
        found = env.get(name)
        if found == value:
            continue
        if found is not None and not force:
            conflicts.append(Conflict(f"env.{name}", found, value))
            continue
        if found is not None:
            added.before[name] = found
        added.env[name] = value
        text = json_text.add_member(text, ("env",), name, value)
    for event, handler in wanted.hooks.items():
        ours = [each for _, _, each in _our_handlers(hooks.get(event, []))]
        if ours == [handler]:
            continue
        if ours:
            text = _without_ours(text, event)
        group = {"hooks": [handler]}
        if event in hooks:
            text = json_text.add_item(text, ("hooks", event), group)
        else:
            added.created.append(["hooks", event])
            text = json_text.add_member(text, ("hooks",), event, [group])
    if wanted.status_line is not None:
        line = settings.get("statusLine")
        if line is None or is_ours(line) or force:
            if line != wanted.status_line:
                text = json_text.add_member(text, (), "statusLine", wanted.status_line)
                added.status_line_before = None if is_ours(line) else line
            added.status_line = wanted.status_line
        else:
            conflicts.append(Conflict("statusLine", line, wanted.status_line))
    return text, added, conflicts


def take_out(text: str, added: Added | None) -> str:
    """Remove our hooks, and what was recorded of the rest; later edits stay.

    Args:
        text: The settings as they are now.
        added: What was put in; ``None`` when that is not known any more, and then
            variables stay: they may be somebody else's.

    Raises:
        UsageError: When the text is not the JSON of a settings file.
    """
    settings = read(text)
    known = added or Added()
    for event, groups in settings.get("hooks", {}).items():
        if any(_our_handlers(groups)):
            text = _without_ours(text, event)
    for name, value in known.env.items():
        # One that was changed since is somebody's own by now.
        if settings.get("env", {}).get(name) != value:
            continue
        if name in known.before:
            text = json_text.add_member(text, ("env",), name, known.before[name])
        else:
            text = json_text.remove(text, ("env", name))
    if is_ours(settings.get("statusLine")):
        if known.status_line_before is not None:
            text = json_text.add_member(
                text, (), "statusLine", known.status_line_before
            )
        else:
            text = json_text.remove(text, ("statusLine",))
    for path in reversed(known.created):
        if _at(json_text.parse(text), path) in ({}, []):
            text = json_text.remove(text, tuple(path))
    return text


def read(text: str) -> dict[str, Any]:
    """Read a settings file; blank is an empty object.

    Raises:
        UsageError: When it is not JSON, or not of the shape that the client reads.
    """
    if not text.strip():
        return {}
    try:
        settings = json_text.parse(text)
    except ValueError as error:
        raise UsageError(
            "the settings are not valid JSON, and are left alone",
            because=str(error),
            suggestion="mend the file (comments and trailing commas are not JSON), "
            "then the same command again",
        ) from error
    problem = _shape_problem(settings)
    if problem is not None:
        raise UsageError(
            "the settings are not what Claude Code reads, and are left alone",
            because=problem,
            suggestion="mend the file, then the same command again",
        )
    found: dict[str, Any] = settings
    return found


def hindrances(text: str) -> list[str]:
    """Say what else in a settings text keeps hooks from running, or doubles them."""
    settings = read(text)
    found = []
    if settings.get("disableAllHooks") is True:
        found.append("'disableAllHooks' is on: no hook runs")
    groups = [group for event in settings.get("hooks", {}).values() for group in event]
    urls = settings.get("allowedHttpHookUrls")
    handlers = [each for _, _, each in _our_handlers(groups)]
    if urls is not None and any("url" in each for each in handlers):
        found.append("'allowedHttpHookUrls' is set: it must allow the collector's URL")
    plugins = settings.get("enabledPlugins")
    for name, is_on in plugins.items() if isinstance(plugins, dict) else ():
        if is_on and name.startswith("fleetspan@"):
            found.append(f"the plugin {name!r} is on: every hook is reported twice")
    return found


def same_effect(one: str, other: str) -> bool:
    """Whether two texts say the same, in whatever order the hooks of an event stand."""
    return _unordered(read(one)) == _unordered(read(other))


def _unordered(settings: dict[str, Any]) -> dict[str, Any]:
    hooks = {
        event: sorted(groups, key=lambda group: json.dumps(group, sort_keys=True))
        for event, groups in settings.get("hooks", {}).items()
    }
    return settings | ({"hooks": hooks} if "hooks" in settings else {})


def _shape_problem(settings: object) -> str | None:
    if not isinstance(settings, dict):
        return f"the whole is {_kind(settings)}, and should be an object"
    for name in ("env", "hooks"):
        if not isinstance(settings.get(name, {}), dict):
            return f"{name!r} is {_kind(settings[name])}, and should be an object"
    for event, groups in settings.get("hooks", {}).items():
        if not isinstance(groups, list):
            return f"'hooks.{event}' is {_kind(groups)}, and should be an array"
    return None


def _kind(value: object) -> str:
    names = {dict: "an object", list: "an array", str: "text", type(None): "null"}
    return names.get(
        type(value), "a number" if not isinstance(value, bool) else "a bool"
    )


def _at(settings: Any, path: list[str]) -> Any:
    for key in path:
        settings = settings.get(key) if isinstance(settings, dict) else None
    return settings


def _our_handlers(groups: list[Any]) -> Iterator[tuple[int, int, Handler]]:
    """Yield group, position in it and handler, for each of ours among an event's."""
    for index, group in enumerate(groups):
        handlers = group.get("hooks") if isinstance(group, dict) else None
        for position, handler in enumerate(
            handlers if isinstance(handlers, list) else []
        ):
            if is_ours(handler):
                yield index, position, handler


def _without_ours(text: str, event: str) -> str:
    groups = json_text.parse(text)["hooks"][event]
    # From the back, so that the positions of those before stay right.
    for index, position, _ in reversed(list(_our_handlers(groups))):
        group = groups[index]
        group["hooks"].pop(position)
        whole = not group["hooks"] and set(group) <= {"hooks", "matcher"}
        tail = (index,) if whole else (index, "hooks", position)
        text = json_text.remove(text, ("hooks", event, *tail))
    return text

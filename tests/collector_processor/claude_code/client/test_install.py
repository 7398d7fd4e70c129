"""Installing into, and removing from, the client's settings."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetspan_collector._errors import CollectorError, UsageError
from fleetspan_collector.claude_settings import json_text
from fleetspan_collector.claude_settings.edit import put_in, take_out
from fleetspan_collector.claude_settings.files import (
    is_project_file,
    record_path,
    user_settings,
)
from fleetspan_collector.claude_settings.install import plan_install, plan_uninstall
from fleetspan_collector.claude_settings.wanted import (
    GOES_ON,
    LEFT_OUT,
    WAITED_FOR,
    wanted,
)

URL = "http://127.0.0.1:4318"
WANTED = wanted(URL)
THEIRS = {"type": "command", "command": "echo mine"}

# The client's own events and variables, and anything else that a person may write.
_names = st.sampled_from(
    ["Stop", "PreToolUse", "SessionStart", "OTEL_LOGS_EXPORTER", "FOO", "é 🛰", "a"]
)
_numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_scalars: st.SearchStrategy[object] = st.none() | st.booleans() | _numbers
_scalars |= st.text(max_size=8)
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3)
    ),
    max_leaves=6,
)
_groups = st.lists(
    st.fixed_dictionaries(
        {"hooks": st.lists(st.just(THEIRS), max_size=2)},
        optional={"matcher": st.text(max_size=4)},
    ),
    max_size=2,
)
_settings = st.fixed_dictionaries(
    {},
    optional={
        "env": st.dictionaries(_names, st.text(max_size=6), max_size=3),
        "hooks": st.dictionaries(_names, _groups, max_size=3),
        "model": st.text(max_size=5),
        "permissions": _values,
        "statusLine": st.just(THEIRS),
        "é": _values,
    },
)
_styles: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, 0, 1, 2, 4, "\t"]),
        "ensure_ascii": st.booleans(),
        "sort_keys": st.booleans(),
    }
)


@st.composite
def settings_files(draw: st.DrawFn) -> bytes | None:
    """A settings file in any style, or none."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.sampled_from([None, b"", b"\n", b" {} \n", b"{\n\n}"]))
    text = json.dumps(draw(_settings), **draw(_styles))
    text = draw(st.sampled_from(["", "\n", "  "])) + text
    text += draw(st.sampled_from(["", "\n", "\n\n", " \t"]))
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    # JSON may hold half a surrogate pair as an escape, and a file cannot hold it raw.
    content = text.encode("utf-8", "replace")
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + content


def install(path: Path, want: Any = WANTED, *, force: bool = False) -> bool:
    """Install, and say whether anything changed."""
    plan = plan_install(path, want, force=force)
    plan.carry_out()
    return plan.changes


def uninstall(path: Path) -> None:
    """Uninstall."""
    plan_uninstall(path).carry_out()


def content_of(path: Path) -> bytes | None:
    """The bytes of a file, or None."""
    return path.read_bytes() if path.exists() else None


def value_of(path: Path) -> dict[str, Any]:
    """The settings of a file."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8-sig"))
    return found


@given(before=settings_files(), force=st.booleans(), line=st.booleans())
@settings(max_examples=80, deadline=None)
def test_uninstall_restores_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory,
    before: bytes | None,
    force: bool,
    line: bool,
) -> None:
    """Whatever the file was, install, install again and uninstall leave it as it was."""
    path = tmp_path_factory.mktemp("any") / "settings.json"
    if before is not None:
        path.write_bytes(before)
    want = wanted(URL, status_line=line)
    assert install(path, want, force=force)
    assert not install(path, want, force=force)
    found = value_of(path)
    assert set(found["hooks"]) >= {*WAITED_FOR, *GOES_ON}
    old = json.loads(before.decode("utf-8-sig").strip() or "{}") if before else {}
    for name, value in old.items():
        if name not in ("env", "hooks", "statusLine"):
            assert json.dumps(found[name]) == json.dumps(value)
    for event, groups in old.get("hooks", {}).items():
        assert found["hooks"][event][: len(groups)] == groups
    for name, value in old.get("env", {}).items():
        assert force or found["env"][name] == value
    uninstall(path)
    assert content_of(path) == before
    assert not record_path(path).exists()


@given(before=settings_files(), style=_styles, force=st.booleans())
@settings(max_examples=50, deadline=None)
def test_later_edits_survive_uninstall(
    tmp_path_factory: pytest.TempPathFactory,
    before: bytes | None,
    style: dict[str, Any],
    force: bool,
) -> None:
    """A file that was edited, and written anew by the client, loses exactly what is ours."""
    path = tmp_path_factory.mktemp("any") / "settings.json"
    if before is not None:
        path.write_bytes(before)
    old = json.loads(before.decode("utf-8-sig").strip() or "{}") if before else {}
    install(path, wanted(URL, status_line=True), force=force)
    for each in (found := value_of(path), old):
        each["addedLater"] = {"a": [1, "x"]}
        each.setdefault("env", {})["LATER"] = "1"
        each.setdefault("hooks", {}).setdefault("Stop", []).insert(
            0, {"hooks": [THEIRS], "matcher": "later"}
        )
    path.write_text(json.dumps(found, **style), "utf-8")
    assert not install(path, wanted(URL, status_line=True), force=force)
    uninstall(path)
    assert value_of(path) == old


@given(before=settings_files())
@settings(max_examples=50, deadline=None)
def test_no_byte_but_ours_changes(before: bytes | None) -> None:
    """The text of what was there is still there, piece by piece."""
    text = (before or b"").decode("utf-8-sig")
    new, added, _ = put_in(text, WANTED, force=False)
    at = 0
    for character in text:
        at = new.index(character, at) + 1
    if text.strip():
        bare = take_out(new, added)
        assert json.dumps(json_text.parse(bare)) == json.dumps(json_text.parse(text))


def test_what_is_written(tmp_path: Path) -> None:
    """The variables that switch telemetry on, and one hook per event, for all tools."""
    path = tmp_path / "settings.json"
    path.write_text('{\n  "model": "opus"\n}\n')
    install(path, wanted(URL, project="a b", content="full"))
    found = value_of(path)
    assert list(found) == ["model", "env", "hooks"]
    assert found["env"] == {
        "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
        "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA": "1",
        "CLAUDE_CODE_PROPAGATE_TRACEPARENT": "1",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
        "OTEL_RESOURCE_ATTRIBUTES": "fleetspan.project=a%20b",
        "OTEL_LOG_USER_PROMPTS": "1",
        "OTEL_LOG_ASSISTANT_RESPONSES": "1",
        "OTEL_LOG_TOOL_DETAILS": "1",
        "OTEL_LOG_TOOL_CONTENT": "1",
    }
    assert len(found["hooks"]) == 29
    assert not set(found["hooks"]) & {"MessageDisplay", "WorktreeCreate"}
    ((start,),) = ([g["hooks"][0]] for g in found["hooks"]["SessionStart"])
    assert start["command"].endswith(f"run.py --endpoint {URL} 2>/dev/null || :")
    assert "async" not in start
    assert found["hooks"]["PreToolUse"] == [{"hooks": [start | {"async": True}]}]


def test_every_event_of_the_client_is_used_or_left_out_with_a_reason() -> None:
    """The 33 events of Claude Code 2.1.330."""
    assert len({*WAITED_FOR, *GOES_ON, *LEFT_OUT}) == 33
    assert all(len(reason) > 20 for reason in LEFT_OUT.values())


def test_hooks_over_http(tmp_path: Path) -> None:
    """HTTP where the client can and loses nothing by it; a command for the others."""
    path = tmp_path / "settings.json"
    install(path, wanted(URL, form="http"))
    hooks = value_of(path)["hooks"]
    by_command = {
        event for event in hooks if hooks[event][0]["hooks"][0]["type"] == "command"
    }
    assert by_command == {"Setup", "SessionStart", "SessionEnd", "SubagentStart"}
    assert hooks["PostToolUse"][0]["hooks"] == [
        {
            "type": "http",
            "url": "http://127.0.0.1:4318/v1/claude-code/hooks",
            "timeout": 1,
        }
    ]


def test_another_endpoint_replaces_the_first(tmp_path: Path) -> None:
    """Installing again with other options changes ours alone, and undoes as one."""
    path = tmp_path / "settings.json"
    before = b'{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "x"}]}]}}'
    path.write_bytes(before)
    install(path, wanted(URL, form="http", content="full"))
    assert install(path, wanted("https://far.example"))
    found = value_of(path)
    assert found["env"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "https://far.example"
    assert "OTEL_LOG_USER_PROMPTS" not in found["env"]
    assert len(found["hooks"]["Stop"]) == 2
    assert URL not in path.read_text()
    uninstall(path)
    assert path.read_bytes() == before


def test_a_variable_set_to_something_else_is_left_alone(tmp_path: Path) -> None:
    """A conflict is reported; only force replaces it, and uninstall puts it back."""
    path = tmp_path / "settings.json"
    before = (
        b'{"env": {"OTEL_TRACES_EXPORTER": "console", "OTEL_LOGS_EXPORTER": "otlp"}}'
    )
    path.write_bytes(before)
    plan = plan_install(path, WANTED)
    assert [(each.name, each.found, each.wanted) for each in plan.conflicts] == [
        ("env.OTEL_TRACES_EXPORTER", "console", "otlp")
    ]
    plan.carry_out()
    assert value_of(path)["env"]["OTEL_TRACES_EXPORTER"] == "console"
    assert install(path, force=True)
    assert value_of(path)["env"]["OTEL_TRACES_EXPORTER"] == "otlp"
    found = value_of(path) | {"later": 1}
    path.write_text(json.dumps(found))
    uninstall(path)
    assert value_of(path) == json.loads(before) | {"later": 1}


def test_a_variable_that_was_changed_since_stays(tmp_path: Path) -> None:
    """What somebody set to something else after install is theirs."""
    path = tmp_path / "settings.json"
    install(path)
    found = value_of(path)
    found["env"]["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://other:4318"
    path.write_text(json.dumps(found))
    uninstall(path)
    assert value_of(path) == {
        "env": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://other:4318"}
    }


def test_a_status_line_of_theirs_stays(tmp_path: Path) -> None:
    """A status line is offered where there is none."""
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"statusLine": THEIRS}))
    plan = plan_install(path, wanted(URL, status_line=True))
    assert [each.name for each in plan.conflicts] == ["statusLine"]
    plan.carry_out()
    assert value_of(path)["statusLine"] == THEIRS
    empty = tmp_path / "empty.json"
    install(empty, wanted(URL, status_line=True, data=Path("/data dir")))
    line = value_of(empty)["statusLine"]
    assert line["command"].endswith(
        "run.py statusline --data '/data dir' 2>/dev/null || :"
    )


def test_without_the_record_only_our_hooks_go(tmp_path: Path) -> None:
    """What cannot be known to be ours is left."""
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"hooks": {"Stop": [{"hooks": [THEIRS]}]}}))
    install(path)
    record_path(path).unlink()
    uninstall(path)
    found = value_of(path)
    assert found["hooks"]["Stop"] == [{"hooks": [THEIRS]}]
    assert "run.py" not in path.read_text()
    assert found["env"] == dict(WANTED.env)


def test_permissions_and_links_stay(tmp_path: Path) -> None:
    """The file behind a link is written, and is as readable as before."""
    real = tmp_path / "dotfiles" / "claude.json"
    real.parent.mkdir()
    real.write_text("{}")
    real.chmod(0o640)
    link = tmp_path / "settings.json"
    link.symlink_to(real)
    install(link)
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert stat.S_IMODE(record_path(link).stat().st_mode) == 0o600
    assert sorted(path.name for path in real.parent.iterdir()) == ["claude.json"]
    uninstall(link)
    assert real.read_text() == "{}"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_a_new_file_is_private_and_goes_again(tmp_path: Path) -> None:
    """Where there was no file, there is none afterwards."""
    path = tmp_path / "new" / "settings.json"
    install(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    uninstall(path)
    assert list(path.parent.iterdir()) == []


def test_a_file_that_changes_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """The client may write its settings while we ask."""
    path = tmp_path / "settings.json"
    plan = plan_install(path, WANTED)
    path.write_text('{"model": "opus"}')
    with pytest.raises(CollectorError, match="somebody else"):
        plan.carry_out()
    assert path.read_text() == '{"model": "opus"}'


@pytest.mark.parametrize(
    ("content", "because"),
    [
        (b'{"a": 1,}', "line 1 column"),
        (b"{ // comment\n}", "line 1 column"),
        (b'{"a": NaN}', "NaN is not JSON"),
        (b"{} {}", "Extra data"),
        (b"[" * 100_000, "nested"),
        (b"[]", "the whole is an array"),
        (b'{"env": null}', "'env' is null"),
        (b'{"hooks": {"Stop": {}}}', "'hooks.Stop' is an object"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_what_is_no_settings_file_is_left_alone(
    tmp_path: Path, content: bytes, because: str
) -> None:
    """A clear error, and not a byte changed, for install and for uninstall."""
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=because):
        plan_install(path, WANTED)
    with pytest.raises(UsageError, match=because):
        plan_uninstall(path)
    assert path.read_bytes() == content


def test_the_settings_of_the_user(tmp_path: Path) -> None:
    """The configuration folder can be moved; other .claude folders are projects."""
    home = Path.home()
    assert user_settings({}) == home / ".claude" / "settings.json"
    moved = {"CLAUDE_CONFIG_DIR": str(tmp_path / ".claude")}
    assert user_settings(moved) == tmp_path / ".claude" / "settings.json"
    assert not is_project_file(tmp_path / ".claude" / "settings.json", moved)
    assert is_project_file(tmp_path / ".claude" / "settings.json", {})
    assert is_project_file(home / ".claude" / "settings.local.json", {})
    assert not is_project_file(home / ".claude" / "settings.json", moved)


def test_what_keeps_hooks_from_running_is_said(tmp_path: Path) -> None:
    """Settings that switch hooks off, block them or double them."""
    path = tmp_path / "settings.json"
    settings = {
        "disableAllHooks": True,
        "allowedHttpHookUrls": [],
        "enabledPlugins": {"fleetspan@ours": True, "fleetspan@off": False, "x@y": True},
    }
    path.write_text(json.dumps(settings))
    assert plan_install(path, WANTED).hindrances() == [
        "'disableAllHooks' is on: no hook runs",
        "the plugin 'fleetspan@ours' is on: every hook is reported twice",
    ]
    over_http = plan_install(path, wanted(URL, form="http")).hindrances()
    assert over_http[1].startswith("'allowedHttpHookUrls' is set")
    path.write_text("{}")
    assert plan_install(path, WANTED).hindrances() == []

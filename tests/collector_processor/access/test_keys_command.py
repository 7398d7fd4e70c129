"""``fleetspan keys``, in this process, beside no collector."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fleetspan_collector.access import Scope
from fleetspan_collector.access.keys import KeyFile
from fleetspan_collector.cli import _run


class Keys:
    """The command, and the file that it keeps."""

    def __init__(self, data: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.file = KeyFile(data / "keys.json")
        self._capfd = capfd

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Run it; return its code and what it wrote."""
        code = _run.run(("keys", *arguments))
        out, err = self._capfd.readouterr()
        return code, out, err

    def document(self, *arguments: str) -> Any:
        """Run it with ``--json``."""
        code, out, err = self(*arguments, "--json")
        assert (code, err) == (0, "")
        found = json.loads(out)
        assert found["schema_version"]
        return found


@pytest.fixture
def keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Keys:
    """The command with a data directory that is not there yet."""
    for name in list(os.environ):
        if name.startswith("FLEETSPAN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FLEETSPAN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "130")
    monkeypatch.setenv("NO_COLOR", "1")
    return Keys(tmp_path / "data", capfd)


def test_key_alone_is_what_it_writes(keys: Keys) -> None:
    """``KEY=$(fleetspan keys add)`` works: all else goes to standard error."""
    code, out, err = keys("add", "--tenant", "blue", "--note", "ci")
    assert code == 0
    assert re.fullmatch(r"fsk_[a-z0-9]{8}_[A-Za-z0-9_-]{43}\n", out)
    assert "of blue, for ingest, read; it is not shown again" in err
    assert "every port of this collector asks for a key" in err
    (kept,) = keys.file.read()
    assert kept.matches(out.strip())
    assert (kept.tenant, kept.note) == ("blue", "ci")
    _, _, err = keys("add")
    assert "every port" not in err


def test_the_first_key_can_be_made_where_ports_reach_far(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector refuses to start without one, and says to make it: so it can be."""
    monkeypatch.setenv("FLEETSPAN_WEB", "0.0.0.0:4319")
    assert _run.run(("config", "show")) == 2
    code, out, err = keys("add")
    assert code == 0, err
    assert out.startswith("fsk_")
    assert keys("ls")[0] == 0
    assert _run.run(("config", "show")) == 0


def test_list_shows_no_secret(keys: Keys) -> None:
    """What is listed names keys, and cannot be used as one."""
    assert keys("ls") == (0, "", "there are no keys: nobody is asked for one\n")
    secret = keys.document("add", "--all-tenants", "--scope", "admin")["key"]["secret"]
    code, out, _ = keys("ls")
    assert code == 0
    assert secret[4:12] in out
    assert secret not in out
    assert "all tenants" in out
    (row,) = keys.document("ls")["keys"]
    assert row == {
        "key_id": secret[4:12],
        "status": "in force",
        "tenant": None,
        "scopes": ["admin"],
        "note": "",
        "created_at": row["created_at"],
        "expires_at": None,
        "revoked_at": None,
    }


def test_revoking_and_rotating(keys: Keys) -> None:
    """A rotated key goes on for its grace, a revoked one ends now."""
    old = keys.document("add", "--scope", "read", "--expires", "90d")["key"]
    code, out, err = keys("rotate", old["key_id"], "--grace", "2h")
    assert code == 0
    assert f"{old['key_id']} stays in force until" in err
    before, after = keys.file.read()
    assert after.matches(out.strip())
    assert after.scopes == (Scope.READ,)
    now = datetime.now(UTC)
    assert before.expires is not None
    assert timedelta(days=89) < before.expires - now < timedelta(days=90)
    assert before.revoked is not None
    assert timedelta(minutes=119) < before.revoked - now < timedelta(hours=2)
    assert before.status(now) == after.status(now) == "in force"
    revoked = keys.document("revoke", after.key_id)["key"]
    assert revoked["status"] == "revoked"
    statuses = {row["key_id"]: row["status"] for row in keys.document("ls")["keys"]}
    assert statuses == {before.key_id: "in force", after.key_id: "revoked"}


@pytest.mark.parametrize(
    ("arguments", "because"),
    [
        (("revoke", "nosuchid"), "none begins so"),
        (("rotate", "nosuchid"), "none begins so"),
        (("add", "--expires", "soon"), "not a time such as 90d"),
        (("add", "--tenant", "a", "--all-tenants"), "exclude each other"),
        (("add", "--scope", "everything"), "everything"),
        (("add", "--tenant", "x" * 201), "longer than 200 characters"),
        (("add", "--tenant", "a\nb"), "cannot be printed"),
    ],
)
def test_wrong_arguments_are_explained(
    keys: Keys, arguments: tuple[str, ...], because: str
) -> None:
    """What is wrong is said, with what to do; no key is made."""
    code, out, err = keys(*arguments)
    assert (code, out) == (2, "")
    assert because in err
    assert keys.file.read() == ()


def test_broken_file_is_explained(keys: Keys) -> None:
    """A file that cannot be used is left as it is."""
    keys.file.path.parent.mkdir()
    keys.file.path.write_text("{")
    code, out, err = keys("add")
    assert code != 0
    assert out == ""
    assert "restore it from a copy" in err
    assert keys.file.path.read_text() == "{"

"""The file of keys, and the gate that follows it."""

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fleetspan_collector._errors import UsageError
from fleetspan_collector.access import Identity, Scope, UnauthenticatedError
from fleetspan_collector.access.key_gate import KeyGate, load_gate
from fleetspan_collector.access.keys import KeyFile, KeyFileError
from fleetspan_collector.access.owner import OwnerPass, sender_key
from fleetspan_collector.config import Endpoint, Settings
from tests.collector_processor.access.keyed import SEND_AND_READ, make_key
from tests.collector_processor.running import environment, poll


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    """A file of keys that is not there yet."""
    return KeyFile(tmp_path / "keys.json")


def lets_in(gate: KeyGate, key: str | None) -> bool:
    """Tell whether a gate knows a key."""
    try:
        gate.identify(key)
    except UnauthenticatedError:
        return False
    return True


def test_file_holds_no_key(file: KeyFile) -> None:
    """A key cannot be read again: its hash is kept, in a file of its user alone."""
    kept, secret = file.add(tenant="a", scopes=SEND_AND_READ, note="laptop")
    text = file.path.read_text()
    assert secret not in text
    assert secret.split("_", 2)[2] not in text
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert secret.startswith(f"fsk_{kept.key_id}_")
    assert len(secret) == 56
    assert file.read() == (kept,)
    assert kept.matches(secret)
    assert not kept.matches(secret[:-1] + "!")


def test_new_file_does_not_take_over_rights(file: KeyFile) -> None:
    """What lies where the new file is written does not make it readable for others."""
    left = file.path.with_name(".keys.json.new")
    left.write_text("left by a killed command")
    left.chmod(0o666)
    file.add(tenant="a", scopes=SEND_AND_READ)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_commands_at_the_same_time_lose_no_key(file: KeyFile) -> None:
    """Each key that a command has shown is in the file, however many run at once."""
    program = (
        "import sys; from pathlib import Path\n"
        "from fleetspan_collector.access.keys import KeyFile\n"
        "for _ in range(10): KeyFile(Path(sys.argv[1])).add(tenant='a', scopes=[])\n"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(file.path)], env=environment()
        )
        for _ in range(3)
    ]
    assert [each.wait(60) for each in started] == [0, 0, 0]
    assert len({key.key_id for key in file.read()}) == 30


def _with(**changes: object) -> str:
    """Return a file with one key, some of it changed."""
    key = {
        "id": "aaaaaaaa",
        "sha256": "00",
        "tenant": None,
        "scopes": ["ingest"],
        "note": "",
        "created": "2026-01-02T03:04:05Z",
        "expires": None,
        "revoked": None,
    }
    return json.dumps({"version": 1, "keys": [key | changes]})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"version": 2, "keys": []}',
        '{"version": 1, "keys": [{}]}',
        '{"version": 1, "keys": "no"}',
        _with(created="2026-01-02T03:04:05"),
        _with(expires="soon"),
        _with(scopes=["everything"]),
        _with(tenant=1),
    ],
)
def test_broken_file_is_refused_at_start(file: KeyFile, text: str) -> None:
    """A collector does not start with a file of keys that it cannot use."""
    file.path.write_text(text)
    with pytest.raises(KeyFileError, match="cannot be used"):
        KeyGate(file)


def test_without_a_file_nobody_is_asked(file: KeyFile) -> None:
    """No keys, no questions; whoever comes may do everything."""
    gate = KeyGate(file, "home")
    assert not gate.required
    found = gate.identify(None)
    assert found == gate.identify("anything")
    assert found == Identity(
        key_id="", tenant="home", sees=None, scopes=frozenset(Scope)
    )


def test_file_that_holds_nothing_lets_nobody_in(file: KeyFile) -> None:
    """Somebody who took all keys out of the file did not mean to let everybody in."""
    file.path.write_text('{"version": 1, "keys": []}')
    gate = KeyGate(file)
    assert gate.required
    assert not lets_in(gate, None)


def test_key_says_who_it_is(file: KeyFile) -> None:
    """A key's tenant and scopes are what counts, and one of all tenants sees them all."""
    one, secret = file.add(tenant="a", scopes=[Scope.READ])
    every, other = file.add(tenant=None, scopes=[Scope.ADMIN, Scope.INGEST])
    gate = KeyGate(file, "home")
    assert gate.identify(secret) == Identity(
        key_id=one.key_id, tenant="a", sees="a", scopes=frozenset({Scope.READ})
    )
    assert gate.identify(other) == Identity(
        key_id=every.key_id,
        tenant="home",
        sees=None,
        scopes=frozenset({Scope.ADMIN, Scope.INGEST}),
    )


@pytest.mark.parametrize("change", ["first", "last", "none", "empty", "spaces", "é"])
def test_wrong_keys_are_not_known(file: KeyFile, change: str) -> None:
    """Only the very key is let in."""
    _, secret = file.add(tenant="a", scopes=SEND_AND_READ)
    last = "A" if secret[-1] != "A" else "B"
    shown = {
        "first": "X" + secret[1:],
        "last": secret[:-1] + last,
        "none": None,
        "empty": "",
        "spaces": f" {secret}",
        "é": secret[:-1] + "é",
    }
    assert not lets_in(KeyGate(file), shown[change])


def test_expired_key_is_not_let_in(file: KeyFile) -> None:
    """A key ends when it was said to; who came in by it may not stay."""
    ends = datetime.now(UTC) + timedelta(seconds=0.3)
    _, secret = file.add(tenant="a", scopes=SEND_AND_READ, expires=ends)
    gate = KeyGate(file)
    found = gate.identify(secret)
    poll(lambda: not lets_in(gate, secret), "it has expired")
    assert not gate.holds(found)
    with pytest.raises(UnauthenticatedError, match="expired"):
        gate.identify(secret)


def test_revoked_last_key_does_not_open_the_doors(file: KeyFile) -> None:
    """With all keys revoked nobody is let in, also after a restart."""
    kept, secret = file.add(tenant="a", scopes=SEND_AND_READ)
    gate = KeyGate(file)
    found = gate.identify(secret)
    file.revoke(kept.key_id)
    poll(lambda: not gate.holds(found), "it is revoked", patience_s=2)
    for each in (gate, KeyGate(file)):
        assert each.required
        assert not lets_in(each, secret)
        assert not lets_in(each, None)


def test_rotated_keys_both_work_for_a_while(file: KeyFile) -> None:
    """The new key is like the old one, which goes on until its grace is over."""
    old, before = file.add(tenant="a", scopes=[Scope.READ], note="ci")
    ends = datetime.now(UTC) + timedelta(hours=1)
    new, after = file.rotate(old.key_id[:5], old_ends=ends)
    gate = KeyGate(file)
    assert (new.tenant, new.scopes, new.note) == ("a", (Scope.READ,), "ci")
    assert gate.identify(before).sees == gate.identify(after).sees == "a"
    file.rotate(old.key_id, old_ends=datetime.now(UTC))
    poll(lambda: not lets_in(gate, before), "the old one has ended")
    assert lets_in(gate, after)
    with pytest.raises(UsageError, match="cannot be rotated"):
        file.rotate(old.key_id, old_ends=ends)


def test_broken_or_missing_file_changes_nothing(
    file: KeyFile, caplog: pytest.LogCaptureFixture
) -> None:
    """Keys stay as they were while their file cannot be read, which is said once."""
    _, secret = file.add(tenant="a", scopes=SEND_AND_READ)
    gate = KeyGate(file)
    file.path.write_text("{")
    poll(lambda: gate.required and caplog.messages, "it is logged")
    assert lets_in(gate, secret)
    assert not lets_in(gate, None)
    assert len(caplog.messages) == 1
    assert "the keys stay as they were" in caplog.messages[0]
    file.path.unlink()
    _, other = KeyFile(file.path.with_name("elsewhere.json")).add(tenant="b", scopes=[])
    assert not lets_in(gate, other)
    os.replace(file.path.with_name("elsewhere.json"), file.path)
    poll(lambda: lets_in(gate, other), "the new file is read")
    assert not lets_in(gate, secret)


def test_broken_first_file_closes_the_doors(file: KeyFile) -> None:
    """A file that appears wants keys to be asked for, also when it cannot be read."""
    gate = KeyGate(file)
    file.path.write_text("{")
    poll(lambda: gate.required, "the file was seen")
    assert not lets_in(gate, None)


def test_own_programs_may_only_send(tmp_path: Path) -> None:
    """Commands of the collector's user may do everything, programs they start send."""
    make_key(tmp_path, "a")
    settings = Settings(data=tmp_path, tenant="home")
    owner = OwnerPass.make(None, None)
    gate = load_gate(settings, owner.key)
    owner.write(tmp_path)
    shown = OwnerPass.read(tmp_path)
    assert shown.key == owner.key
    assert gate.identify(shown.key).scopes == frozenset(Scope)
    assert gate.identify(shown.key).sees is None
    sends = gate.identify(shown.sender)
    assert (sends.tenant, sends.scopes) == ("home", frozenset({Scope.INGEST}))
    assert gate.holds(sends)
    for name in ("owner.json", "sender.key"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_key_of_own_programs_outlives_restarts(tmp_path: Path) -> None:
    """A program goes on sending after the collector was restarted: its key is the same."""
    first = sender_key(tmp_path)
    OwnerPass.make(None, None).write(tmp_path)
    OwnerPass.remove(tmp_path)
    assert sender_key(tmp_path) == first
    assert not (tmp_path / "owner.json").exists()
    assert OwnerPass.read(tmp_path) == OwnerPass()
    shown = OwnerPass(key="owner's", sender=first)
    assert shown.otlp_variables() == {
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{first}"
    }


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("127.0.0.1", False)])  # noqa: S104
def test_keys_in_the_clear_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, host: str, warned: bool
) -> None:
    """Keys on a network without TLS are said to be readable, once, at the start."""
    make_key(tmp_path, "a")
    load_gate(Settings(data=tmp_path, web=Endpoint(host, 4319)))
    assert [message[:44] for message in caplog.messages] == (
        ["keys and all that is sent can be read on the"] if warned else []
    )


def test_file_is_plain_to_read(file: KeyFile) -> None:
    """The format is a contract: provisioning tools may write it."""
    kept, _ = file.add(tenant=None, scopes=[Scope.READ, Scope.INGEST], note="n")
    (row,) = json.loads(file.path.read_text())["keys"]
    assert row == {
        "id": kept.key_id,
        "sha256": kept.sha256,
        "tenant": None,
        "scopes": ["ingest", "read"],
        "note": "n",
        "created": kept.created.isoformat(),
        "expires": None,
        "revoked": None,
    }

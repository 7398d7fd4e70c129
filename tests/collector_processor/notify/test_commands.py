"""Hooks that are a command."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ..embedded import Embedded
from ..running import poll
from .conftest import Announce
from .telling import batch, finding
from .test_webhooks import DOCUMENT, outcomes, wait_for

pytestmark = pytest.mark.integration

Script = Callable[[str], str]


def runs(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except FileNotFoundError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


class TestWhatItGets:
    """Input, environment and how it is run."""

    def test_the_document_on_standard_input(
        self, announce: Announce, stored: Embedded, script: Script, tmp_path: Path
    ) -> None:
        """It reads the JSON of the finding, and its success is on record."""
        command = [script(f"cat > {tmp_path}/told; echo thank you")]
        announce({"log": {"command": command}}).announce(batch(finding()))
        wait_for(stored, 1)
        assert json.loads((tmp_path / "told").read_text("utf-8")) == DOCUMENT
        (row,) = stored.rows("deliveries")
        assert (row["Outcome"], row["Code"]) == ("delivered", 0)
        assert row["Answer"] == "thank you\n"

    def test_a_clean_environment(
        self,
        announce: Announce,
        stored: Embedded,
        script: Script,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Of ours only what helps to run programs, and what the finding is."""
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not for hooks")
        monkeypatch.setenv("FLEETSPAN_NOTIFY_OTLP_HEADERS", "authorization=no")
        command = [script(f"env > {tmp_path}/env")]
        announce({"log": {"command": command}}).announce(batch(finding()))
        wait_for(stored, 1)
        lines = (tmp_path / "env").read_text("utf-8").splitlines()
        given = dict(line.split("=", 1) for line in lines)
        ours = {name: given.pop(name) for name in list(given) if "FLEETSPAN" in name}
        (row,) = stored.rows("deliveries")
        assert ours == {
            "FLEETSPAN_DATA": "/nonexistent/data",
            "FLEETSPAN_FINDING_ID": "f-1",
            "FLEETSPAN_FINDING_DETECTOR": "retry_storm",
            "FLEETSPAN_FINDING_SEVERITY": "high",
            "FLEETSPAN_FINDING_RUN_ID": "run-1",
            "FLEETSPAN_FINDING_HOOK": "log",
            "FLEETSPAN_FINDING_DELIVERY": row["DeliveryId"],
            "FLEETSPAN_FINDING_ATTEMPT": "1",
        }
        # PWD, SHLVL and _ are the shell's own.
        known = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE"}
        assert set(given) <= known | {"PWD", "OLDPWD", "SHLVL", "_"}

    def test_no_shell(
        self, announce: Announce, stored: Embedded, tmp_path: Path
    ) -> None:
        """Arguments are words, whatever they look like."""
        command = ["/bin/echo", f"$(touch {tmp_path}/bad); *"]
        announce({"log": {"command": command}}).announce(batch(finding()))
        wait_for(stored, 1)
        (row,) = stored.rows("deliveries")
        assert row["Answer"] == f"$(touch {tmp_path}/bad); *\n"
        assert not (tmp_path / "bad").exists()

    def test_hostile_texts(
        self, announce: Announce, stored: Embedded, script: Script, tmp_path: Path
    ) -> None:
        """A NUL, a newline and a megabyte in what a finding says do no harm."""
        command = [
            script(f'cat > {tmp_path}/told; printf "%s" "$FLEETSPAN_FINDING_RUN_ID"')
        ]
        row = finding(RunId="a\0b\n'\"$(id)" + "x" * 5000, What="x" * 1_000_000)
        announce({"log": {"command": command}}).announce(batch(row))
        wait_for(stored, 1)
        (delivery,) = stored.rows("deliveries")
        assert delivery["Outcome"] == "delivered"
        assert delivery["Answer"].startswith("ab\n'\"$(id)xxx")
        assert (
            json.loads((tmp_path / "told").read_text("utf-8"))["run_id"] == row["RunId"]
        )


class TestCommandsThatGoWrong:
    """Failure, silence, noise and disobedience."""

    def test_failure_is_tried_again(
        self, announce: Announce, stored: Embedded, script: Script, tmp_path: Path
    ) -> None:
        """An exit code other than 0 is a failure; the next attempt knows its number."""
        command = [
            script(
                'echo "$FLEETSPAN_FINDING_ATTEMPT"; [ "$FLEETSPAN_FINDING_ATTEMPT" = 2 ]'
            )
        ]
        announce({"log": {"command": command}}).announce(batch(finding()))
        wait_for(stored, 2)
        assert outcomes(stored) == [(1, "retry", 1), (2, "delivered", 0)]

    def test_input_that_is_not_read(
        self, announce: Announce, stored: Embedded, script: Script
    ) -> None:
        """A command need not read what it gets, however much that is."""
        command = [script("exec <&-; echo done")]
        announce({"log": {"command": command}}).announce(
            batch(finding(What="x" * 1_000_000))
        )
        wait_for(stored, 1)
        assert outcomes(stored) == [(1, "delivered", 0)]

    def test_megabytes_of_output(
        self, announce: Announce, stored: Embedded, script: Script
    ) -> None:
        """The beginning is kept, the rest is read and let go."""
        command = [script("yes | head -c 20000000")]
        announce({"log": {"command": command}}).announce(batch(finding()))
        wait_for(stored, 1)
        (row,) = stored.rows("deliveries")
        assert (row["Outcome"], len(row["Answer"])) == ("delivered", 1000)
        assert row["Answer"].startswith("y\ny\n")

    @pytest.mark.parametrize(
        ("text", "code"),
        [("sleep 60", -15), ("trap '' TERM; while :; do sleep 0.1; done", -9)],
    )
    def test_a_command_that_hangs_is_ended(
        self,
        announce: Announce,
        stored: Embedded,
        script: Script,
        tmp_path: Path,
        text: str,
        code: int,
    ) -> None:
        """At the timeout, with what it has started, by SIGKILL if need be."""
        command = [script(f"sleep 60 & echo $$ $! > {tmp_path}/pids; {text}")]
        hook = {"command": command, "timeout_s": 0.5, "attempts": 1}
        announce({"log": hook}).announce(batch(finding()))
        wait_for(stored, 1)
        assert outcomes(stored) == [(1, "gave_up", code)]
        assert "timeout" in stored.rows("deliveries")[0]["Answer"]
        pids = [int(pid) for pid in (tmp_path / "pids").read_text("utf-8").split()]
        assert len(pids) == 2
        poll(lambda: not any(map(runs, pids)), "all its processes have ended")

    def test_a_child_that_stays_holds_up_nobody(
        self, announce: Announce, stored: Embedded, script: Script, tmp_path: Path
    ) -> None:
        """A command that ends has ended, although its child keeps the pipe open."""
        command = [script(f"sleep 60 & echo $! > {tmp_path}/pid; echo done")]
        hook = {"command": command, "timeout_s": 30}
        announce({"log": hook}).announce(batch(finding()))
        wait_for(stored, 1)
        os.kill(int((tmp_path / "pid").read_text("utf-8")), 9)
        (row,) = stored.rows("deliveries")
        assert (row["Outcome"], row["Answer"]) == ("delivered", "done\n")
        assert row["DurationMs"] < 20_000

    def test_a_stop_ends_it(
        self, announce: Announce, stored: Embedded, script: Script, tmp_path: Path
    ) -> None:
        """The collector's stop does not wait for a hook; it is told after the next start."""
        command = [
            script(
                f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; sleep 60"
            )
        ]
        announcer = announce({"log": {"command": command, "timeout_s": 60}})
        announcer.announce(batch(finding()))
        poll((tmp_path / "pid").exists, "the command runs")
        announcer.stop()
        assert [each[1] for each in outcomes(stored)] == ["interrupted"]
        assert not runs(int((tmp_path / "pid").read_text("utf-8")))

"""A throw-away home, a project, a provider, and the client between them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from tests.collector_processor.claude_code.live.harness.provider import Provider
from tests.collector_processor.claude_code.live.harness.truth import expected
from tests.collector_processor.running import Collector, environment, poll

ALLOWED: Final = (
    *("--permission-mode", "acceptEdits"),
    *("--allowedTools", "Read", "Write", "Bash", "Agent", "SendMessage"),
)
_PATIENCE_S: Final = 150
_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
_SCOUT: Final = """---
name: code-scout
description: Scouts code
---
You are code-scout.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run of the client ended.

    Attributes:
        code: Its exit code.
        seconds: How long it took.
        stderr: What it wrote there.
        messages: The documents it wrote to standard output.
    """

    code: int
    seconds: float
    stderr: str
    messages: Sequence[dict[str, Any]]

    @property
    def results(self) -> list[dict[str, Any]]:
        """What the client itself says of each turn."""
        return [each for each in self.messages if each.get("type") == "result"]


class Client:
    """One process of the client that has begun.

    Args:
        command: It and its arguments.
        folder: Where it works.
        variables: Its whole environment.
        output: Stem of the files that take what it writes.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        variables: Mapping[str, str],
        output: Path,
    ) -> None:
        self._output = output.with_suffix(".jsonl")
        self._errors = output.with_suffix(".stderr")
        self._began_s = time.monotonic()
        with self._output.open("wb") as out, self._errors.open("wb") as err:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def wait(self) -> Ended:
        """Return when it has ended; one that does not is killed.

        Raises:
            subprocess.TimeoutExpired: When it had to be killed.
        """
        try:
            code = self.process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        lines = self._output.read_bytes().splitlines()
        return Ended(
            code=code,
            seconds=time.monotonic() - self._began_s,
            stderr=self._errors.read_text("utf-8"),
            messages=[json.loads(line) for line in lines],
        )


class Stage:
    """Everything a client needs, in one folder.

    Args:
        root: The folder; what a run leaves stays there.
        client: The client's executable.
    """

    def __init__(self, root: Path, client: Path) -> None:
        self.root = root
        self.client = client
        self.home = root / "home"
        self.project = root / "work"
        self.truth = root / "truth.jsonl"
        self.projects = self.home / ".claude" / "projects"
        self.data = self.home / ".local" / "share" / "fleetspan"
        for folder in (self.home / ".claude", self.data.parent):
            folder.mkdir(parents=True)
        (self.project / ".claude" / "agents").mkdir(parents=True)
        (self.project / ".claude" / "agents" / "code-scout.md").write_text(_SCOUT)
        (self.project / "seed.txt").write_text("line one\nline two\n")
        known = {
            "hasCompletedOnboarding": True,
            "theme": "dark",
            "customApiKeyResponses": {"approved": ["dummy"], "rejected": []},
            "projects": {
                str(self.project): {"hasTrustDialogAccepted": True, "allowedTools": []}
            },
        }
        (self.home / ".claude.json").write_text(json.dumps(known))
        self._provider = Provider(self.project, self.truth)

    @property
    def answers(self) -> int:
        """How many answers the provider has given."""
        return self._provider.answers

    @property
    def variables(self) -> dict[str, str]:
        """The client's whole environment: no key, no account, nothing of this machine."""
        return {
            "PATH": _PATH,
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "ANTHROPIC_BASE_URL": self._provider.url,
            "ANTHROPIC_API_KEY": "dummy",
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }

    def fleetspan(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the ``fleetspan`` command as the user whose home it is.

        Raises:
            AssertionError: When it does not end well.
        """
        done = subprocess.run(
            [sys.executable, "-m", "fleetspan_collector", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_S,
            env=self._fleetspan_variables(),
        )
        assert done.returncode == 0, (arguments, done.stderr)
        return done

    def collector(self) -> Collector:
        """Start ``fleetspan up`` with nothing but defaults; the caller waits for it."""
        changes = {"HOME": str(self.home)}
        return Collector(self.data, variables=changes, ports=())

    @contextmanager
    def following(self) -> Generator[None]:
        """Run ``fleetspan claude import --follow`` meanwhile.

        Raises:
            AssertionError: When it does not end well once it is asked to.
        """
        command = (sys.executable, "-m", "fleetspan_collector")
        with (self.root / "follow.stderr").open("wb") as errors:
            follower = subprocess.Popen(
                [*command, "claude", "import", "--follow", "--json"],
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=self._fleetspan_variables(),
            )
        try:
            # One that begins after the collector is gone runs one of its own.
            said = self.root / "follow.stderr"
            poll(lambda: "following" in said.read_text(), "that it follows")
            yield
            follower.terminate()
            assert follower.wait(60) == 0
        finally:
            follower.kill()
            follower.wait()

    def _fleetspan_variables(self) -> dict[str, str]:
        kept = environment(HOME=str(self.home))
        # Places that another home than the user's would name.
        return {key: kept[key] for key in kept if not key.startswith("XDG_")}

    def begin(
        self,
        prompt: str,
        *options: str,
        name: str,
        under: Sequence[str] = (),
        **changes: str,
    ) -> Client:
        """Start the client with a prompt, as a script would, and do not wait for it.

        Args:
            prompt: What it is to do; a marker in it says which plan the provider plays.
            options: More options of the client.
            name: Stem of the files of what it writes.
            under: A command that starts it.
            changes: Variables besides `variables`.
        """
        command = (*under, str(self.client), "-p", prompt, *options)
        form = ("--output-format", "stream-json", "--verbose")
        return Client(
            [*command, *form],
            self.project,
            self.variables | changes,
            self.root / f"stream_{name}",
        )

    def run(
        self,
        prompt: str,
        *options: str,
        name: str,
        under: Sequence[str] = (),
        **changes: str,
    ) -> Ended:
        """Do what `begin` does, and wait until the client has ended."""
        return self.begin(prompt, *options, name=name, under=under, **changes).wait()

    def expected(self) -> dict[str, Any]:
        """Return what really happened."""
        return expected(self.truth, self.projects)

    def __enter__(self) -> Self:
        self._provider.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self._provider.__exit__(*problem)

"""Transcripts of any size, multiplied from captured ones, with the truth of them.

A round is what the real client wrote in the capture ``tree``: a main agent that starts
four sub-agents, one of them nested and one in the background, 17 requests in all, one
line per content block. A session has several rounds; every tenth session is forked and
the fork goes on for a round. Ids, uuids and times are fresh in every round; results of
tools and texts of the model get the length that they have in real sessions, which the
captures lack because nothing real was asked. Half of the forks name the session that
made a request (``requestSessionId``), the other half are as older clients wrote them.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

CAPTURE: Final = (
    Path(__file__).parents[1]
    / "collector_processor"
    / "claude_code"
    / "captures"
    / "tree"
)
KINDS: Final = ("input", "cache_read", "cache_write", "output")

_SESSION: Final = "11111111-1111-4111-8111-111111111111"
_CHANGING: Final = re.compile(
    r"(@[A-Z]+@"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?:req|msg|toolu)_fake_[0-9_]+"
    r"|\ba[0-9a-f]{16}\b"
    r"|20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z)"
)
_ROUNDS: Final = 6
_FORKED: Final = 10
_DAYS: Final = 20
_WORDS: Final = (  # noqa: SIM905 - to be read
    "def return import the agent result value \\n    if for in not error line file "
    'test self path data of and to is a with open read write None True False \\"id\\" '
).split(" ")
_SIZES: Final = {"@RESULT@": 3200, "@TEXT@": 700, "@THOUGHT@": 900, "@INPUT@": 500}
"""Mean length of what is put in, in characters; lengths are exponential."""


@dataclass(slots=True)
class Truth:
    """What the generated transcripts hold.

    Attributes:
        bytes: Size of all files.
        lines: Lines in them.
        files: Files of lines.
        sessions: Sessions, forks too.
        agents: Agents, main ones too.
        calls: Requests, each once.
        tokens: Tokens by kind, of `KINDS`.
    """

    bytes: int = 0
    lines: int = 0
    files: int = 0
    sessions: int = 0
    agents: int = 0
    calls: int = 0
    tokens: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))


def generate(folder: Path, size_bytes: int, *, seed: int = 1) -> Truth:
    """Write a configuration folder with about so many bytes of transcripts.

    Returns:
        The truth of what was written.
    """
    generator = _Generator(folder / "projects", random.Random(seed))
    while generator.truth.bytes < size_bytes:
        generator.session()
    return generator.truth


class _Generator:
    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.truth = Truth()
        self._folder = folder
        self._chance = chance
        self._template = _Template()
        self._padding = _padding(chance)
        self._now = datetime.now(UTC).replace(microsecond=0)

    def session(self) -> None:
        number = self.truth.sessions
        project = self._folder / f"-srv-project-{number % 12}"
        project.mkdir(parents=True, exist_ok=True)
        session_id = self._uuid()
        began = self._now - timedelta(seconds=self._chance.uniform(3600, _DAYS * 86400))
        main: list[str] = []
        for each in range(_ROUNDS):
            at = began + timedelta(seconds=60 * each)
            main += self._round(project, session_id, at)
        self._write(project / f"{session_id}.jsonl", main)
        self.truth.sessions += 1
        self.truth.agents += 1
        if number % _FORKED == 0:
            at = began + timedelta(seconds=60 * (_ROUNDS + 1))
            self._fork(project, session_id, main, at, named=number % 20 == 0)

    def _fork(
        self,
        project: Path,
        parent: str,
        copied: list[str],
        at: datetime,
        *,
        named: bool,
    ) -> None:
        session_id = self._uuid()
        lines = []
        for line in copied:
            if '"uuid"' not in line:
                continue
            if named and '"type":"assistant"' in line:
                line = f'{{"requestSessionId":"{parent}",' + line[1:]
            lines.append(
                line.replace(f'"sessionId":"{parent}"', f'"sessionId":"{session_id}"')
            )
        lines += self._round(project, session_id, at)
        self._write(project / f"{session_id}.jsonl", lines)
        self.truth.sessions += 1
        self.truth.agents += 1

    def _round(self, project: Path, session_id: str, at: datetime) -> list[str]:
        """Write the sub-agents of a round; return the lines of its main agent."""
        names: dict[str, str] = {_SESSION: session_id}
        for agent_id, parts in self._template.agents.items():
            fresh = self._fresh(agent_id, names, at)
            path = project / session_id / "subagents" / f"agent-{fresh}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(path, self._filled(parts, names, at))
            meta = "".join(self._filled(self._template.metas[agent_id], names, at))
            path.with_suffix(".meta.json").write_text(meta, "utf-8")
            self.truth.agents += 1
        self.truth.calls += self._template.calls
        for kind, tokens in self._template.tokens.items():
            self.truth.tokens[kind] += tokens
        return self._filled(self._template.main, names, at)

    def _filled(
        self, lines: list[list[str]], names: dict[str, str], at: datetime
    ) -> list[str]:
        return [
            "".join(
                part if place % 2 == 0 else self._fresh(part, names, at)
                for place, part in enumerate(parts)
            )
            for parts in lines
        ]

    def _fresh(self, given: str, names: dict[str, str], at: datetime) -> str:
        if given in _SIZES:
            length = min(int(self._chance.expovariate(1 / _SIZES[given])), 200_000)
            start = self._chance.randrange(len(self._padding) - 200_100)
            # Whole words, and so whole escapes, only.
            cut = self._padding[start : start + length].partition(" ")[2]
            return cut.rpartition(" ")[0]
        known = names.get(given)
        if known is None:
            known = names[given] = self._new(given, at)
        return known

    def _new(self, given: str, at: datetime) -> str:
        if given[:2] == "20" and given.endswith("Z"):
            moment = datetime.fromisoformat(given) - self._template.began + at
            return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
        kind, fake, rest = given.partition("_fake_")
        if fake:
            return f"{kind}_01{self._chance.getrandbits(100):025x}{rest[-3:]}"
        if len(given) == 17:
            return f"a{self._chance.getrandbits(64):016x}"
        return self._uuid()

    def _uuid(self) -> str:
        text = f"{self._chance.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"

    def _write(self, path: Path, lines: list[str]) -> None:
        text = "\n".join(lines) + "\n"
        path.write_text(text, "utf-8")
        self.truth.bytes += len(text)
        self.truth.lines += len(lines)
        self.truth.files += 1


class _Template:
    """The capture, each line split where something changes from round to round."""

    def __init__(self) -> None:
        folder = CAPTURE / "transcripts"
        (main,) = folder.glob(f"*/{_SESSION}.jsonl")
        subagents = main.with_suffix("") / "subagents"
        self.main = [_split(line) for line in _lines(main)]
        self.agents: dict[str, list[list[str]]] = {}
        self.metas: dict[str, list[list[str]]] = {}
        for path in sorted(subagents.glob("agent-*.jsonl")):
            agent_id = path.stem.removeprefix("agent-")
            self.agents[agent_id] = [_split(line) for line in _lines(path)]
            meta = json.loads(path.with_suffix(".meta.json").read_text("utf-8"))
            self.metas[agent_id] = [_split(meta)]
        times = [
            json.loads(line).get("timestamp")
            for line in main.read_text("utf-8").splitlines()
        ]
        self.began = datetime.fromisoformat(min(each for each in times if each))
        total = json.loads((CAPTURE / "expected.json").read_text("utf-8"))
        self.calls = sum(len(each["requests"]) for each in total["agents"])
        self.tokens = dict(
            zip(
                KINDS,
                (
                    total["total"][name]
                    for name in (
                        "input_tokens",
                        "cache_read_input_tokens",
                        "cache_creation_input_tokens",
                        "output_tokens",
                    )
                ),
                strict=True,
            )
        )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text("utf-8").splitlines():
        if line.strip():
            yield _padded(json.loads(line))


def _padded(line: dict[str, Any]) -> dict[str, Any]:
    """Mark where real lines are long."""
    message = line.get("message")
    content = message.get("content") if isinstance(message, Mapping) else None
    for block in content if isinstance(content, list) else ():
        if block["type"] == "tool_result":
            block["content"] = "@RESULT@"
            if isinstance(line.get("toolUseResult"), dict):
                line["toolUseResult"]["stdout"] = "@RESULT@"
        elif block["type"] == "thinking":
            block["thinking"] = block["signature"] = "@THOUGHT@"
        elif block["type"] == "text":
            block["text"] = "@TEXT@"
        elif block["type"] == "tool_use":
            block["input"]["description"] = "@INPUT@"
    return line


def _split(line: Mapping[str, Any]) -> list[str]:
    text = json.dumps(line, separators=(",", ":"), ensure_ascii=False)
    return _CHANGING.split(text)


def _padding(chance: random.Random) -> str:
    """Text to cut from, as it stands inside a JSON string."""
    return " ".join(chance.choices(_WORDS, k=400_000))

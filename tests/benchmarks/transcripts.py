"""Transcripts: reading what Claude Code wrote, into a store and straight from the files.

The generator multiplies captured transcripts (`_transcripts`) up to the size of the
scale. Then, one after the other, over the same files, which are in the page cache:
``fleetspan claude import`` with no collector running, into a fresh store, until runs,
agents and calls are derived and counted; the same again, with nothing new; the direct
path of ``fleetspan cost``, `read_calls`, in a process of its own; and ccusage (npm),
offline, its daily report. Each is a whole process from start to end, its start-up
included. CPU and memory are those of the process and all its children; memory is the
sum of each one's peak, read every 20 ms.

It fails when any of ours does not find exactly the calls and tokens that were written;
what ccusage finds is compared and shown.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import psutil  # type: ignore[import-untyped, import-not-found, unused-ignore]

from tests.benchmarks import _ccusage
from tests.benchmarks._processes import usage_of
from tests.benchmarks._report import Result
from tests.benchmarks._scale import Scale
from tests.benchmarks._transcripts import KINDS, Truth, generate
from tests.collector_processor.running import environment

_LOOK_S: Final = 0.02


def measure(scale: Scale, folder: Path) -> Result:
    """Write transcripts and read them in every way."""
    config = folder / "config"
    truth = generate(config, scale.transcript_bytes)
    expected = list(truth.tokens.values())
    found: dict[str, dict[str, Any]] = {}
    command = [
        *(sys.executable, "-m", "fleetspan_collector", "claude", "import"),
        *(str(config), "--json", f"--data={folder / 'data'}"),
    ]
    for name in ("import", "import again"):
        found[name] = each = _run(command)
        stored = each["answer"]["stored"]
        each["calls"] = stored["llm_calls"]
        each["tokens"] = [stored[f"{kind}_tokens"] for kind in KINDS]
        _check(name, each, truth)
    direct = [sys.executable, "-m", "tests.benchmarks._read_calls", str(config)]
    found["direct"] = each = _run(direct)
    each |= each["answer"]
    _check("direct", each, truth)
    peer, reason = _ccusage.program()
    notes = [reason] if peer is None else []
    if peer is not None:
        found["ccusage"] = each = _run(peer, CLAUDE_CONFIG_DIR=str(config))
        each["tokens"] = _ccusage.tokens(each["answer"])
        same = each["tokens"] == expected
        notes.append(
            "ccusage finds the same tokens."
            if same
            else f"ccusage finds {each['tokens']} tokens, written were {expected}."
        )
    return Result(
        part="transcripts",
        title=f"{truth.bytes / 1e6:,.0f} MB, {truth.files:,} files, {truth.calls:,} calls",
        columns=("what", "s", "MB/s", "CPU s", "peak RSS MB", "calls"),
        rows=[
            [
                name,
                each["seconds"],
                truth.bytes / 1e6 / each["seconds"],
                each["cpu_s"],
                each["peak_rss_bytes"] / 1e6,
                each.get("calls"),
            ]
            for name, each in found.items()
        ],
        settings={"bytes": scale.transcript_bytes, "ccusage": _ccusage.VERSION},
        raw={"truth": asdict(truth), **found},
        notes=notes,
    )


def _check(name: str, found: Mapping[str, Any], truth: Truth) -> None:
    expected = list(truth.tokens.values())
    if (found["calls"], found["tokens"]) != (truth.calls, expected):
        raise AssertionError(
            f"{name} found {found['calls']} calls with {found['tokens']} tokens,"
            f" written were {truth.calls} with {expected}"
        )


def _run(command: Sequence[str], **variables: str) -> dict[str, Any]:
    """Run a program to its end and return its answer, which is JSON, and what it took."""
    began = time.monotonic()
    with (
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
        subprocess.Popen(
            list(command), stdout=out, stderr=err, env=environment(**variables)
        ) as process,
    ):
        before = os.times()
        peak = _watch(process)
        seconds = time.monotonic() - began
        after = os.times()
        err.seek(0)
        out.seek(0)
        if process.returncode:
            raise AssertionError(f"{command} ended with {err.read()[-2000:]}")
        return {
            "answer": json.loads(out.read()),
            "seconds": seconds,
            # Of children that have ended and were waited for, theirs included.
            "cpu_s": after.children_user
            + after.children_system
            - before.children_user
            - before.children_system,
            "peak_rss_bytes": peak,
        }


def _watch(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process; return the highest sum of its and its children's memory."""
    peak = 0
    while process.poll() is None:
        try:
            peak = max(peak, usage_of([process.pid]).peak_rss_bytes)
        except psutil.Error:
            # One of them has ended in between.
            continue
        time.sleep(_LOOK_S)
    return peak

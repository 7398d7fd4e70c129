"""What a hook of Claude Code, in its command form, and the status line cost.

Each program is started in turn, many times, with a small hook on its standard input and
nobody listening; wall time is from start to exit, as the client waits for it, CPU is of the
process and the children it waited for.

The aim: not more than an empty Python.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import fleetspan_hook
from tests.benchmarks._report import Result, median, percentile
from tests.benchmarks._scale import Scale

_RUN: Final = str(Path(fleetspan_hook.__file__).with_name("run.py"))
_PYTHON: Final = (sys.executable, "-I", "-S")
_BASELINE: Final = "python3 -c pass"
_PAYLOAD: Final = {
    "hook_event_name": "SessionStart",
    "session_id": "5e55105e-0000-4000-8000-000000000001",
    "cost": {"total_cost_usd": 0.5},
}


def measure(scale: Scale, folder: Path) -> Result:
    """Start each program in turn, so that a busy machine is busy for all of them."""
    programs = {
        _BASELINE: (sys.executable, "-c", "pass"),
        "python3 -I -S -c pass": (*_PYTHON, "-c", "pass"),
        "hook": (*_PYTHON, _RUN, "--endpoint", "http://127.0.0.1:9"),
        "status line": (*_PYTHON, _RUN, "statusline", "--data", str(folder)),
        "fleetspan statusline": (
            *(sys.executable, "-m", "fleetspan_collector"),
            *("statusline", "--data", str(folder)),
        ),
    }
    environ = {**os.environ, "FLEETSPAN_SPOOL": str(folder / "spool")}
    wall_ms: dict[str, list[float]] = {name: [] for name in programs}
    cpu_ms: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(scale.hook_starts):
        for name, program in programs.items():
            wall, cpu = _start(program, environ)
            wall_ms[name].append(wall)
            cpu_ms[name].append(cpu)
    base = median(wall_ms[_BASELINE])
    return Result(
        part="hook_start",
        title="a hook as a command, and the status line, with no collector",
        columns=(
            "program",
            "median ms",
            "p99 ms",
            "CPU ms",
            "ratio to an empty Python",
        ),
        rows=[
            [
                name,
                median(wall_ms[name]),
                percentile(wall_ms[name], 99),
                median(cpu_ms[name]),
                median(wall_ms[name]) / base,
            ]
            for name in programs
        ],
        settings={"starts": scale.hook_starts},
        raw={"wall_ms": wall_ms, "cpu_ms": cpu_ms},
    )


def _start(program: tuple[str, ...], environ: dict[str, str]) -> tuple[float, float]:
    """Run a program to its end; return wall time and CPU time in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(
        program,
        input=json.dumps(_PAYLOAD).encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
        env=environ,
    )
    wall_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = (
        after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    )  # the hook's own child is not waited for, and not in here
    return 1e3 * wall_s, 1e3 * cpu_s

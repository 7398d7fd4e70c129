"""An agent program of the demo: ``python -m fleetspan_collector.demo.program``.

Arguments are ``runs PLAN_FILE PROCESS`` to make the runs planned for a process, or
``child SCENARIO BEGIN_NS SEED TOOL_CALL`` to go on with the run of the process that started this
one. Where to send is in ``OTEL_EXPORTER_OTLP_ENDPOINT``, whose program it is in
``FLEETSPAN_*``, as for any program that uses the SDK; ``DEMO_TRUTHS`` is the
directory for what it did. It writes a line ``run`` for each run that it has made.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import fleetspan
from fleetspan_collector.demo._delegation import continue_run, truth_path
from fleetspan_collector.demo._oddities import ALONE, ODDITIES
from fleetspan_collector.demo._plan import RunPlan
from fleetspan_collector.demo._scenarios import CONVERTER, SCENARIOS
from fleetspan_collector.demo._timeline import clock
from fleetspan_collector.demo._truth import Truth

TRUTHS_VARIABLE: Final = "DEMO_TRUTHS"
_FLUSH_S: Final = 120.0
"""OpenTelemetry's exporter tries each batch for 10 s when it is refused, and traces, logs,
metrics go one after the other: the deadline is for who hangs, not for who is refused."""


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; 0 when everything was sent."""
    truths = Path(os.environ[TRUTHS_VARIABLE])
    fleetspan.configure(clock=clock)
    truth = Truth()
    match arguments:
        case ["runs", plan_file, process]:
            plans = json.loads(Path(plan_file).read_text("utf-8"))[process]
            for plan in plans:
                _make(RunPlan(**plan), truth, truths)
                sys.stdout.write("run\n")
                sys.stdout.flush()
        case ["child", "convert", begin_ns, seed, tool_call]:
            done_ns = continue_run(
                CONVERTER,
                truth,
                seed=seed,
                begin_ns=int(begin_ns),
                spawned_by=tool_call,
            )
            sys.stdout.write(f"{done_ns}\n")
        case _:
            sys.stderr.write(f"arguments {list(arguments)} are not understood\n")
            return 2
    if not fleetspan.shutdown(_FLUSH_S):
        sys.stderr.write(f"not everything was sent within {_FLUSH_S:.0f} s\n")
        return 1
    truth.write(truth_path(truths))
    return 0


def _make(plan: RunPlan, truth: Truth, truths: Path) -> None:
    if plan.special in ALONE:
        ALONE[plan.special](plan, truth, truths)
    elif plan.special:
        ODDITIES[plan.special](plan, truth)
    else:
        SCENARIOS[plan.kind](plan, truth)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

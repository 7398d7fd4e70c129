"""Measure: ``python -m tests.benchmarks [PART …] [--quick] [--json DIR]``."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.benchmarks import _report
from tests.benchmarks._scale import FULL, QUICK, TINY

PARTS: Final = (
    "throughput",
    "freshness",
    "sdk",
    "idle",
    "reads",
    "pages",
    "panels",
    "storage",
    "dialects",
    "hooks",
    "hook_start",
    "decisions",
    "redaction",
    "transcripts",
    "complexity",
    "coordinator",
    "context",
    "analysis",
    "live",
    "stream",
    "screen",
    "cache",
    "detection",
    "routing",
    "routing_cascade",
    "routing_learning",
    "routing_speed",
)


def main(arguments: list[str]) -> int:
    """Run the parts one after the other; print tables, write JSON files."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="a tenth of everything")
    sizes.add_argument("--tiny", action="store_true", help="as the tests run it")
    parser.add_argument(
        "--json", type=Path, default=Path("bench-results"), metavar="DIR"
    )
    parser.add_argument(
        "--transcript-mb", type=int, help="size of the transcripts", metavar="MB"
    )
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {min(unknown)!r}, expected {PARTS}")
    scale = QUICK if chosen.quick else TINY if chosen.tiny else FULL
    if chosen.transcript_mb:
        scale = replace(scale, transcript_bytes=chosen.transcript_mb * 1_000_000)
    for part in chosen.parts or PARTS:
        module = importlib.import_module(f"tests.benchmarks.{part}")
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="fleetspan-bench-") as folder:
            result = module.measure(scale, Path(folder))
        print(_report.table(result))
        path = _report.write(result, scale, chosen.json)
        print(f"  {time.monotonic() - began:.0f} s, {path}\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

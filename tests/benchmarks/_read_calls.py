"""A process that reads model calls straight from transcripts, and says what they used."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow.compute as pc

from fleetspan_collector.transcripts import read_calls


def main(folder: str) -> None:
    """Print the number of calls and the sums of their tokens."""
    calls = read_calls([Path(folder)])
    names = ("Input", "CacheRead", "CacheWrite", "Output")
    sums = [pc.sum(calls[f"{name}Tokens"]).as_py() or 0 for name in names]
    print(json.dumps({"calls": calls.num_rows, "tokens": sums}))


if __name__ == "__main__":
    main(sys.argv[1])

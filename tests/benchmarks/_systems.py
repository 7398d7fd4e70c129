"""The systems under test: each takes OTLP over gRPC and can say what it holds."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from tests.benchmarks._processes import Usage, usage_of
from tests.collector_processor import rotel_agent
from tests.collector_processor.running import Collector

ENGINE_THREADS: Final = min(os.cpu_count() or 1, 4)
"""Threads of a statement, alike for all: the default of `fleetspan up`."""


class System(Protocol):
    """A collector with a store behind it.

    Attributes:
        name: What the table calls it.
        grpc: ``host:port`` of its receiver.
        derives: Whether it makes canonical rows.
    """

    name: str
    grpc: str
    derives: bool

    def spans(self) -> int:
        """Return how many spans a query sees."""
        ...

    def canonical(self) -> tuple[int, int, int, int]:
        """Return runs, agents, model calls and tool calls that a query sees."""
        ...

    def usage(self) -> dict[str, Usage]:
        """Return what its processes have used, by name, in all under ``total``."""
        ...


@dataclass(slots=True)
class Fleetspan:
    """``fleetspan up`` as a user starts it."""

    collector: Collector
    name: str = "fleetspan"
    grpc: str = ""
    derives: bool = True

    def __post_init__(self) -> None:
        self.grpc = self.collector.endpoint("otlp_grpc")

    def spans(self) -> int:
        """Return how many spans a query sees."""
        return self.collector.count("otel_traces")

    def canonical(self) -> tuple[int, int, int, int]:
        """Return runs, agents, model calls and tool calls that a query sees."""
        (row,) = self.collector.sql(
            "SELECT toUInt32(count()) AS runs, toUInt32(sum(Agents)) AS agents,"
            " toUInt32(sum(LlmCalls)) AS calls, toUInt32(sum(ToolCalls)) AS tools"
            " FROM otel.runs"
        )
        return row["runs"], row["agents"], row["calls"], row["tools"]

    def usage(self) -> dict[str, Usage]:
        """Return what its process has used."""
        return {"total": usage_of([self.collector.process.pid])}


@dataclass(slots=True)
class Rotel:
    """The Rust collector, and the stand-in for its ClickHouse."""

    agent: subprocess.Popen[bytes]
    stand_in: subprocess.Popen[str]
    http_port: int
    grpc: str
    name: str = "rotel"
    derives: bool = False

    def spans(self) -> int:
        """Return how many spans the stand-in's engine holds."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", "/count")
            return int(connection.getresponse().read())

    def canonical(self) -> tuple[int, int, int, int]:
        """Return nothing: it stores raw spans only."""
        return 0, 0, 0, 0

    def usage(self) -> dict[str, Usage]:
        """Return what the agent, and both processes, have used."""
        return {
            "total": usage_of([self.agent.pid, self.stand_in.pid]),
            "agent": usage_of([self.agent.pid]),
        }


@contextlib.contextmanager
def fleetspan(folder: Path, *options: str) -> Generator[Fleetspan]:
    """Run ``fleetspan up`` on free ports with its data in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with Collector(folder / "fleetspan", *options) as collector:
        yield Fleetspan(collector)
        collector.stop()


@contextlib.contextmanager
def rotel(folder: Path, program: Path) -> Generator[Rotel]:
    """Run rotel with its own defaults and its ClickHouse exporter."""
    stand_in_folder = folder / "stand-in"
    stand_in_folder.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        stand_in = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.benchmarks._stand_in"),
                *(str(stand_in_folder), str(ENGINE_THREADS)),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(rotel_agent.end, stand_in)
        assert stand_in.stdout is not None
        port = int(stand_in.stdout.readline())
        agent = stack.enter_context(
            rotel_agent.rotel(
                folder / "rotel.log",
                program,
                *("--exporter", "clickhouse"),
                *("--clickhouse-exporter-endpoint", f"http://127.0.0.1:{port}"),
                *("--clickhouse-exporter-compression", "none"),
            )
        )
        yield Rotel(agent.process, stand_in, port, agent.grpc)

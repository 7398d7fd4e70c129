"""The agent programs as processes: started, watched, and ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from fleetspan_collector._errors import CollectorError
from fleetspan_collector.access.owner import OwnerPass
from fleetspan_collector.config import Endpoint, Endpoints
from fleetspan_collector.demo._plan import ALONE, PROGRAMS, Program, RunPlan
from fleetspan_collector.demo._truth import gather
from fleetspan_collector.demo.program import TRUTHS_VARIABLE

DEMO_ATTRIBUTE: Final = "fleetspan.demo"
"""Resource attribute by which the rows of one demo are told from all others."""

_PATIENCE_S: Final = 120.0
_POLL_S: Final = 0.02
_INHERITED_SETTINGS: Final = ("FLEETSPAN_", "OTEL_")
_INHERITED_TRACE: Final = ("TRACEPARENT", "TRACESTATE", "BAGGAGE")


class Fleet:
    """The processes of one demo. Use it as ``with``: nothing lives on after the block.

    Args:
        plans: The runs by process.
        directory: An existing directory for the plan, the truths and the logs.
        endpoints: Where the collector listens; OTLP over HTTP is on.
        demo_id: Marks what this demo sends.
        shown: What lets programs send there.
    """

    def __init__(
        self,
        plans: Mapping[str, list[RunPlan]],
        directory: Path,
        endpoints: Endpoints,
        demo_id: str,
        shown: OwnerPass,
    ) -> None:
        self._directory = directory
        self._truths = directory / "truths"
        self._truths.mkdir()
        self._endpoints = endpoints
        self._shown = shown
        self._demo_id = demo_id
        self._made = 0
        self._lock = threading.Lock()
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._readers: list[threading.Thread] = []
        self._plan_file = directory / "plan.json"
        document = {
            process: [asdict(plan) for plan in of_process]
            for process, of_process in plans.items()
        }
        self._plan_file.write_text(json.dumps(document), "utf-8")
        self._plans = {process: each for process, each in plans.items() if each}

    def __enter__(self) -> Self:
        programs = {program.name: program for program in PROGRAMS} | ALONE
        try:
            for process in self._plans:
                self._start(process, programs[process])
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    def watch(self, on_progress: Callable[[int], None]) -> dict[str, Any]:
        """Wait until every run is made and sent.

        Args:
            on_progress: Called now and then with the number of runs made so far.

        Returns:
            What the programs say that they did, as `gather` does.

        Raises:
            CollectorError: When a program fails or takes too long.
        """
        deadline = time.monotonic() + _PATIENCE_S
        wanted = sum(map(len, self._plans.values()))
        while True:
            on_progress(self._made)
            busy = [
                process
                for process, running in self._processes.items()
                if process != "stuck" and running.poll() is None
            ]
            self._raise_failures()
            if not busy and self._made >= wanted:
                return gather(self._truths)
            if time.monotonic() >= deadline:
                raise self._failure(
                    busy[0] if busy else "stuck",
                    f"it has not ended after {_PATIENCE_S:.0f} s",
                )
            time.sleep(_POLL_S)

    def end(self) -> None:
        """End what still runs, as the stuck agent does."""
        for running in self._processes.values():
            if running.poll() is None:
                # With the process that it may have started itself.
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        for reader in self._readers:
            reader.join()
        for running in self._processes.values():
            for stream in (running.stdin, running.stdout):
                if stream is not None:
                    stream.close()

    def _start(self, process: str, program: Program) -> None:
        with (self._directory / f"{process}.log").open("w") as log:
            running = subprocess.Popen(  # noqa: S603 - our own program
                [
                    sys.executable,
                    "-m",
                    "fleetspan_collector.demo.program",
                    "runs",
                    str(self._plan_file),
                    process,
                ],
                env=self._environment(program),
                # The stuck one waits on it: it ends with this process, however that ends.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                # Ctrl-C is for this process, which then ends the others.
                start_new_session=True,
            )
        self._processes[process] = running
        reader = threading.Thread(target=self._count, args=(running,), daemon=True)
        reader.start()
        self._readers.append(reader)

    def _count(self, running: subprocess.Popen[str]) -> None:
        for line in running.stdout or ():
            if line == "run\n":
                with self._lock:
                    self._made += 1

    def _environment(self, program: Program) -> dict[str, str]:
        """The program's own settings, none of the user's, and no proxy to this machine."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_INHERITED_SETTINGS) and name not in _INHERITED_TRACE
        }
        over_grpc = program.protocol == "grpc" and self._endpoints.otlp_grpc is not None
        address = self._endpoints.otlp_grpc if over_grpc else self._endpoints.otlp_http
        local = f"{environment.get('NO_PROXY', '')},127.0.0.1,localhost,::1".lstrip(",")
        return environment | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{self._shown.scheme}://{reachable(address or '')}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if over_grpc else "http/protobuf",
            "OTEL_RESOURCE_ATTRIBUTES": f"{DEMO_ATTRIBUTE}={self._demo_id}",
            "OTEL_SERVICE_NAME": program.name,
            "FLEETSPAN_PROJECT": program.project,
            "FLEETSPAN_ENVIRONMENT": program.environment,
            **self._shown.otlp_variables(),
            TRUTHS_VARIABLE: str(self._truths),
            "NO_PROXY": local,
            "no_proxy": local,
        }

    def _raise_failures(self) -> None:
        for process, running in self._processes.items():
            code = running.poll()
            # The crashed agent ends with 1: that is what it is for.
            if code is not None and code != (1 if process == "crash" else 0):
                raise self._failure(process, f"it ended with exit code {code}")
            if code is not None and process == "stuck":
                raise self._failure(process, "it ended, but it should hang")

    def _failure(self, process: str, what: str) -> CollectorError:
        log = (self._directory / f"{process}.log").read_text("utf-8", "replace")
        last = log.strip().splitlines()[-1:] or ["it said nothing"]
        return CollectorError(
            f"the agent program '{process}' failed",
            because=f"{what}: {last[0][:400]}",
            suggestion="fleetspan doctor",
        )


def reachable(address: str) -> str:
    """Return where to connect to, for a collector that listens on every interface."""
    where = Endpoint.parse(address)
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
    return str(Endpoint(loopback.get(where.host, where.host), where.port))

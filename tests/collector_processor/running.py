"""A real collector in a process of its own, and how tests talk to it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.collector_processor.server_store import variables_of

CANONICAL: Final = ("runs", "agents", "llm_calls", "tool_calls")
FREE_PORTS: Final = (
    *("--grpc=127.0.0.1:0", "--http=127.0.0.1:0", "--web=127.0.0.1:0"),
    *("--clickhouse=off", "--jaeger=off"),
)
_PATIENCE_S: Final = 120.0


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment without settings of OpenTelemetry or ours."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FLEETSPAN_", "OTEL_"))
    }
    return kept | changes


def command(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run the ``fleetspan`` command."""
    if "--data" in arguments:
        data = Path(arguments[arguments.index("--data") + 1])
        changes = variables_of(data) | changes
    return subprocess.run(
        [sys.executable, "-m", "fleetspan_collector", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE_S,
        env=environment(**changes),
    )


def rows_of(data: Path, query: str) -> list[dict[str, Any]]:
    """Run a query with the ``sql`` command."""
    done = command("--data", str(data), "sql", "--format", "JSONEachRow", query)
    if done.returncode:
        raise AssertionError(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


class Collector:
    """``fleetspan up`` on free ports.

    Args:
        data: Its data directory.
        options: More options of ``up``.
        variables: Environment variables.
    """

    def __init__(
        self,
        data: Path,
        *options: str,
        variables: Mapping[str, str] | None = None,
        ports: Sequence[str] = FREE_PORTS,
    ) -> None:
        self.data = data
        self._log = data.with_name(f"{data.name}.log").open("ab")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "fleetspan_collector", "up", "--json"),
                *(f"--data={data}", *ports, *options),
            ],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=environment(**(variables_of(data) | dict(variables or {}))),
        )

    @property
    def log(self) -> str:
        """What it, and those before it on the same data, wrote to standard error."""
        return Path(self._log.name).read_text("utf-8")

    def wait_until_ready(self) -> Self:
        """Return once it listens.

        Raises:
            AssertionError: When it ended before that.
        """
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line == "}\n":
                return self
        raise AssertionError(f"`fleetspan up` ended: {self.log}")

    def endpoint(self, name: str) -> str:
        """Return where it listens, from its endpoints file."""
        document = json.loads((self.data / "endpoints.json").read_text("utf-8"))
        assert document["pid"] == self.process.pid
        address: str = document[name]
        return address

    def request(
        self, name: str, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one HTTP request to an endpoint; return status, headers and body."""
        connection = http.client.HTTPConnection(self.endpoint(name), timeout=60)
        try:
            named = {key.replace("_", "-"): value for key, value in headers.items()}
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            received = {key.lower(): value for key, value in answer.getheaders()}
            return answer.status, received, answer.read()
        finally:
            connection.close()

    def post(
        self, signal_name: str, payload: bytes, media: str = "application/x-protobuf"
    ) -> None:
        """Send an OTLP request over HTTP and see it accepted in full."""
        status, _, body = self.request(
            "otlp_http", "POST", f"/v1/{signal_name}", payload, content_type=media
        )
        assert (status, body) in ((200, b""), (200, b"{}")), body

    def settle(self) -> None:
        """Return once everything acknowledged can be read.

        A read waits for that by itself, but not for long: on a busy machine too short.
        """
        names = ("fleetspan_journal_open_bytes", "fleetspan_journal_sealed_segments")

        def settled() -> bool:
            self.sql("SELECT 1")
            return not any(self.metric(name) for name in names)

        poll(settled, "the journal is empty")

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Run a query through its web port."""
        status, _, body = self.request(
            "web", "POST", "/api/v1/sql?format=JSONEachRow", query.encode()
        )
        assert status == 200, body
        # States of aggregate functions are no text.
        return [
            json.loads(line.decode("utf-8", "replace")) for line in body.splitlines()
        ]

    def count(self, table: str, condition: str = "1") -> int:
        """Return the number of rows of a table."""
        (row,) = self.sql(
            f"SELECT toUInt32(count()) AS n FROM otel.{table} WHERE {condition}"
        )
        number: int = row["n"]
        return number

    def metric(self, name: str) -> float:
        """Return a metric of its, summed over all labels; 0 when it has none."""
        _, _, body = self.request("web", "GET", "/metrics")
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in body.decode().splitlines()
            if line.startswith((f"{name} ", f"{name}{{"))
        )

    def kill(self) -> None:
        """End it with SIGKILL, wherever it is."""
        self.process.kill()
        self._end()

    def stop(self) -> int:
        """Ask it to end with SIGTERM and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._end()

    def _end(self) -> int:
        code = self.process.wait(_PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()
        return code

    def __enter__(self) -> Self:
        try:
            return self.wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.returncode is None:
            self.kill()


def poll(holds: Any, what: str, *, patience_s: float = _PATIENCE_S) -> None:
    """Return once a condition holds.

    Raises:
        AssertionError: When it still does not after ``patience_s`` seconds.
    """
    deadline_s = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline_s, f"waited in vain until {what}"
        time.sleep(0.02)

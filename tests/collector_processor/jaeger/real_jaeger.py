"""A Jaeger that is not ours, built with Go from its module, in a process of its own.

``python -m tests.collector_processor.jaeger.real_jaeger OUT`` builds it: five minutes and
five gigabytes of memory for the first time.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.collector_processor.running import environment, poll

MODULE: Final = "github.com/jaegertracing/jaeger"
VERSION: Final = "v1.76.0"
"""The newest release that the module proxy has; it is v2.13.0 of the program."""
CONFIGURATIONS: Final = Path(__file__).parents[3] / "deploy" / "jaeger"
_BUILD_S: Final = 3600
_STOP_S: Final = 30.0


def download(into: Path) -> Path:
    """Download the source, and return where Go keeps it.

    Args:
        into: A folder that is not part of a Go module.

    Raises:
        subprocess.CalledProcessError: When Go or its module proxy fails.
    """
    downloaded = subprocess.run(
        ["go", "mod", "download", "-json", f"{MODULE}@{VERSION}"],
        cwd=into,
        capture_output=True,
        check=True,
        timeout=_BUILD_S,
    )
    return Path(json.loads(downloaded.stdout)["Dir"])


def build(into: Path) -> Path:
    """Build the program.

    Args:
        into: The folder that it is written to.

    Returns:
        The program.

    Raises:
        subprocess.CalledProcessError: When Go or its module proxy fails.
    """
    program = into / "jaeger"
    subprocess.run(
        ["nice", "-n", "10", "go", "build", "-o", str(program), "./cmd/jaeger"],
        cwd=download(into),
        check=True,
        timeout=_BUILD_S,
    )
    return program


def free_port() -> int:
    """Return a port that nobody has just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Jaeger:
    """A running Jaeger.

    Args:
        program: The program.
        configuration: The name of one of ours, see `CONFIGURATIONS`.
        log: Where it writes what it has to say.
        variables: What the configuration takes from the environment.

    Attributes:
        otlp: Where it takes OTLP over gRPC, if it does.
    """

    def __init__(
        self, program: Path, configuration: str, log: Path, variables: Mapping[str, str]
    ) -> None:
        self._http = f"127.0.0.1:{free_port()}"
        self.otlp = f"127.0.0.1:{free_port()}"
        self._log = log
        ports = {
            "JAEGER_HTTP": self._http,
            "JAEGER_GRPC": f"127.0.0.1:{free_port()}",
            "JAEGER_OTLP": self.otlp,
        }
        with log.open("wb") as messages:
            self._process = subprocess.Popen(
                [str(program), "--config", str(CONFIGURATIONS / configuration)],
                stdout=subprocess.DEVNULL,
                stderr=messages,
                env=environment(**ports) | dict(variables),
            )

    @property
    def log(self) -> str:
        """What it has said."""
        return self._log.read_text("utf-8")

    def get(self, path: str) -> tuple[int, Any]:
        """Ask its HTTP API; return status and document."""
        try:
            with urllib.request.urlopen(
                f"http://{self._http}{path}", timeout=60
            ) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def data(self, path: str) -> Any:
        """Ask what has to be there; return its data."""
        status, document = self.get(path)
        assert status == 200, document
        assert not document.get("errors"), document
        return document["data"]

    def wait_until_ready(self) -> Self:
        """Return once it serves.

        Raises:
            AssertionError: When it ended before that.
        """

        def is_ready() -> bool:
            assert self._process.poll() is None, self.log
            return "Everything is ready" in self.log

        poll(is_ready, "Jaeger serves")
        return self

    def __enter__(self) -> Self:
        try:
            return self.wait_until_ready()
        except BaseException:
            self._end()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else os.curdir).resolve()
    where.mkdir(parents=True, exist_ok=True)
    sys.stdout.write(f"{build(where)}\n")

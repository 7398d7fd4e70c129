"""An OpenTelemetry collector that is not ours, built with what our configurations use.

``python -m tests.deploy.otelcol OUT`` builds it: two minutes for the first time.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.collector_processor.jaeger.real_jaeger import free_port
from tests.collector_processor.running import environment, poll
from tests.deploy import go_tools
from tests.deploy.files import DEPLOY

CONFIGURATIONS: Final = DEPLOY / "otel-collector"
_CORE: Final = "go.opentelemetry.io/collector"
_CONTRIB: Final = "github.com/open-telemetry/opentelemetry-collector-contrib"
_MANIFEST: Final = f"""\
dist:
  name: otelcol
  output_path: ./dist
  module: example.org/otelcol
receivers:
  - gomod: {_CORE}/receiver/otlpreceiver v0.165.0
processors:
  - gomod: {_CORE}/processor/memorylimiterprocessor v0.165.0
exporters:
  - gomod: {_CORE}/exporter/otlpexporter v0.165.0
  - gomod: {_CORE}/exporter/otlphttpexporter v0.165.0
  - gomod: {_CORE}/exporter/debugexporter v0.165.0
extensions:
  - gomod: {_CONTRIB}/extension/healthcheckextension v0.165.1
  - gomod: {_CONTRIB}/extension/storage/filestorage v0.165.1
providers:
  - gomod: {_CORE}/confmap/provider/envprovider v1.71.0
  - gomod: {_CORE}/confmap/provider/fileprovider v1.71.0
"""
_BUILD_S: Final = 1800
_STOP_S: Final = 30.0


def build(into: Path) -> Path:
    """Build the program.

    Args:
        into: The folder that it is written below.

    Raises:
        subprocess.CalledProcessError: When Go or its module proxy fails.
    """
    builder = go_tools.installed(go_tools.BUILDER)
    (into / "builder.yaml").write_text(_MANIFEST)
    subprocess.run(
        ["nice", str(builder), "--config", "builder.yaml"],
        cwd=into,
        check=True,
        capture_output=True,
        timeout=_BUILD_S,
    )
    return into / "dist" / "otelcol"


class Otelcol:
    """A running OpenTelemetry collector.

    Args:
        program: The program.
        configuration: The name of one of ours, see `CONFIGURATIONS`.
        folder: Where its log and its queue are kept.
        variables: What the configuration takes from the environment.

    Attributes:
        grpc: Where it takes OTLP over gRPC.
        http: Where it takes OTLP over HTTP, if it does.
    """

    def __init__(
        self,
        program: Path,
        configuration: str,
        folder: Path,
        variables: Mapping[str, str],
    ) -> None:
        self.grpc = f"127.0.0.1:{free_port()}"
        self.http = f"127.0.0.1:{free_port()}"
        self.health = f"127.0.0.1:{free_port()}"
        self._log = folder / f"{configuration}.log"
        ours = {
            "OTELCOL_GRPC": self.grpc,
            "OTELCOL_HTTP": self.http,
            "OTELCOL_HEALTH": self.health,
            "OTELCOL_STORAGE": str(folder / "queue"),
        }
        self._began = len(self.log)
        with self._log.open("ab") as messages:
            self._process = subprocess.Popen(
                [str(program), "--config", str(CONFIGURATIONS / configuration)],
                stdout=messages,
                stderr=messages,
                env=environment(**ours | dict(variables)),
            )

    @property
    def log(self) -> str:
        """What it, and those before it in the same folder, had to say."""
        return self._log.read_text("utf-8") if self._log.exists() else ""

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        def is_ready() -> bool:
            assert self._process.poll() is None, self.log
            return "Everything is ready" in self.log[self._began :]

        try:
            poll(is_ready, "the OpenTelemetry collector is ready")
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()


if __name__ == "__main__":
    where = Path(sys.argv[1]).resolve()
    where.mkdir(parents=True, exist_ok=True)
    sys.stdout.write(f"{build(where)}\n")

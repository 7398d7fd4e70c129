"""Where a command reads from: the collector that owns the data, or the store itself."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import logging
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol, cast
from urllib.parse import quote, urlencode

from fleetspan_collector._errors import CollectorError, UnreachableError, UsageError
from fleetspan_collector.access.owner import OwnerPass
from fleetspan_collector.config import Endpoint, Endpoints, Settings, read_endpoints
from fleetspan_collector.journal.lock import DataLock
from fleetspan_collector.store.rows import RunDetail, RunRow
from fleetspan_collector.web.lookup import Reader, find_run

_log: Final = logging.getLogger("fleetspan.cli")
_PROBE_S: Final = 2.0
_RETRY_S: Final = 0.05
_EVERY_RUN: Final = 1_000_000
_CHUNK: Final = 64 * 1024


class Source(Protocol):
    """Reads runs for a command, from wherever they are to be had."""

    def runs(self, since: datetime | None, limit: int | None) -> list[RunRow]:
        """Return runs, latest first."""
        ...

    def run(self, run_id: str) -> RunDetail:
        """Return one run by its id or an unambiguous beginning of it.

        Raises:
            UsageError: When there is none, or several.
        """
        ...

    def sql(self, query: str, output_format: str) -> Iterator[bytes]:
        """Yield the result of a read-only statement in a ClickHouse format.

        Raises:
            CollectorError: When the engine refuses it.
        """
        ...


class LocalSource:
    """Reads a store that this process has opened."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def runs(self, since: datetime | None, limit: int | None) -> list[RunRow]:
        """Return runs, latest first."""
        return self._reader.runs(since=since, limit=limit)

    def run(self, run_id: str) -> RunDetail:
        """Return one run."""
        return find_run(self._reader, run_id)

    def sql(self, query: str, output_format: str) -> Iterator[bytes]:
        """Yield the result of a statement."""
        yield self._reader.sql(query, output_format)


class OwnerSource:
    """Asks a running collector over HTTP.

    Args:
        web: Its web port, ``host:port``.
        shown: What lets this command in.
        timeout_s: Longest silence of the collector, in seconds.
        warns: Log it when an answer may lack what was acknowledged last.

    Attributes:
        complete: Whether the latest answer had all that was acknowledged before it.
    """

    def __init__(
        self,
        web: str,
        shown: OwnerPass | None = None,
        *,
        timeout_s: float = 300.0,
        warns: bool = True,
    ) -> None:
        self.web = web
        self._pass = shown or OwnerPass()
        self.complete = True
        self._timeout_s = timeout_s
        self._warns = warns

    def runs(self, since: datetime | None, limit: int | None) -> list[RunRow]:
        """Return runs, latest first."""
        asked: dict[str, str] = {}
        if since is not None:
            asked["since"] = since.isoformat()
        asked["limit"] = str(_EVERY_RUN if limit is None else limit)
        document = self.get(f"/api/v1/runs?{urlencode(asked)}")
        # The page is told more of them; a command says the same with and without owner.
        known = RunRow.__annotations__
        return cast(
            "list[RunRow]",
            [
                {name: value for name, value in run.items() if name in known}
                for run in document["runs"]
            ],
        )

    def run(self, run_id: str) -> RunDetail:
        """Return one run."""
        document = dict(self.get(f"/api/v1/runs/{quote(run_id, safe='')}"))
        document.pop("schema_version", None)
        document.pop("complete", None)
        return cast("RunDetail", document)

    def sql(self, query: str, output_format: str) -> Iterator[bytes]:
        """Yield the result of a statement."""
        path = f"/api/v1/sql?{urlencode({'format': output_format})}"
        with self._ask("POST", path, query.encode()) as response:
            while chunk := response.read(_CHUNK):
                yield chunk

    def get(self, path: str) -> Mapping[str, Any]:
        """Return a JSON document of the web port."""
        with self._ask("GET", path) as response:
            document: dict[str, Any] = json.loads(response.read())
        return document

    def post(self, path: str, said: Mapping[str, Any]) -> Mapping[str, Any]:
        """Have something done; return the JSON document that answers it."""
        with self._ask("POST", path, json.dumps(said).encode()) as response:
            document: Mapping[str, Any] = json.loads(response.read())
        return document

    def reprice(self, since: datetime | None, *, dry_run: bool) -> Mapping[str, Any]:
        """Have stored calls priced again; it may take minutes."""
        asked = {"dry_run": "true" if dry_run else "false"}
        if since is not None:
            asked["since"] = since.isoformat()
        path = f"/api/v1/reprice?{urlencode(asked)}"
        with self._ask("POST", path) as response:
            document: dict[str, Any] = json.loads(response.read())
        document.pop("schema_version", None)
        return document

    def take_snapshot(self, run_id: str, reason: str) -> str:
        """Have a snapshot of a run taken; return its id."""
        path = f"/api/v1/snapshots?{urlencode({'run': run_id, 'reason': reason})}"
        with self._ask("POST", path) as response:
            taken: str = json.loads(response.read())["snapshot_id"]
        return taken

    def follow(self, asked: Sequence[tuple[str, str]]) -> Iterator[Mapping[str, Any]]:
        """Yield the events of the live stream, until it ends.

        Args:
            asked: Parameters of the stream.
        """
        with self._ask("GET", f"/api/v1/live?{urlencode(asked)}") as response:
            for line in response:
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))

    def text(self, path: str) -> str:
        """Return a page of the web port that is not JSON."""
        with self._ask("GET", path) as response:
            return response.read().decode("utf-8", "replace")

    @contextlib.contextmanager
    def _ask(
        self, method: str, path: str, body: bytes | None = None
    ) -> Generator[http.client.HTTPResponse]:
        where = Endpoint.parse(self.web)
        # Straight to the port: proxies of the environment are not for this machine.
        connection = self._pass.connect(where, self._timeout_s)
        try:
            connection.request(method, path, body, self._pass.headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise _problem(response.status, response.read())
            self.complete = response.headers.get("x-fleetspan-complete") != "false"
            if self._warns and not self.complete:
                _log.warning(
                    "the collector is behind: what it acknowledged last may be missing"
                )
            yield response
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(
                f"the collector on {self.web} does not answer",
                because=f"{type(error).__name__}: {error}",
                suggestion="fleetspan doctor",
            ) from error
        finally:
            connection.close()


def _problem(status: int, body: bytes) -> CollectorError:
    """Make the collector's answer an error of this process again."""
    try:
        answer = json.loads(body)
        error, because, hint = answer["error"], answer["because"], answer["try"]
    except (ValueError, KeyError, TypeError):
        error, hint = f"the collector answered {status}", "fleetspan doctor"
        because = body[:200].decode("utf-8", "replace")
    kind = UsageError if status in {400, 404, 409} else CollectorError
    if status == 503:
        kind = UnreachableError
    return kind(error, because=because, suggestion=hint)


def find_owner(settings: Settings) -> tuple[Endpoints, int] | None:
    """Return what the live collector of the data directory listens on, and its pid.

    Returns:
        ``None`` when no collector runs there, whatever an old file says.
    """
    found = read_endpoints(settings.data)
    if found is None or not _lives(found[1]):
        return None
    endpoints, pid = found
    if endpoints.web is None:
        return found
    try:
        shown = OwnerPass.read(settings.data)
        alive = OwnerSource(endpoints.web, shown, timeout_s=_PROBE_S).get("/healthz")
    except CollectorError:
        return None
    # Another process may have got the port, or the pid, of a killed collector.
    return found if alive.get("pid") == pid else None


@contextlib.contextmanager
def open_store_alone(
    settings: Settings, *, analysed: bool = False
) -> Generator[Reader]:
    """Own the data directory, store what a killed collector left, and read.

    A ClickHouse server beside which this machine has journaled nothing is only read.

    Args:
        settings: Where the data are.
        analysed: Whether what processors say of runs is read, and so has to be there.

    Raises:
        UnreachableError: When the directory is owned or the store cannot be opened.
    """
    # Here, because they bring the engine, which asking an owner does not need.
    import prometheus_client
    from clickhouse_connect.driver.exceptions import ClickHouseError

    from fleetspan_collector.backstage import Backstage
    from fleetspan_collector.store._engine import Engine
    from fleetspan_collector.store.reader import StoreReader

    if not settings.store.embedded and not (settings.data / "journal").is_dir():
        with (
            contextlib.closing(Engine(settings.store)) as engine,
            contextlib.closing(StoreReader(engine)) as reader,
        ):
            yield reader
        return
    with Backstage(settings, prometheus_client.CollectorRegistry()) as backstage:
        try:
            backstage.pipeline.drain()
            if analysed:
                backstage.analyst.scheduler.drain()
        except (ClickHouseError, OSError) as error:
            # What is stored can be read all the same; the journal keeps the rest.
            reason = str(error).splitlines()[0]
            _log.warning("what a collector left behind is not stored yet: %s", reason)
        with contextlib.closing(StoreReader(backstage.engine)) as reader:
            yield reader


@contextlib.contextmanager
def open_source(
    settings: Settings,
    *,
    opener: Callable[[Settings], contextlib.AbstractContextManager[Reader]]
    | None = None,
    patience_s: float = 10.0,
    analysed: bool = False,
) -> Generator[Source]:
    """Ask the owner of the data directory, or open the store for as long as needed.

    Args:
        settings: Where the data are.
        opener: Opens the store; raises `UnreachableError` while somebody owns it.
        patience_s: How long to wait, in seconds, while another command reads, or a
            collector starts or stops.
        analysed: Whether what processors say of runs is to be read, too.

    Raises:
        UnreachableError: When neither is possible.
    """
    opener = opener or functools.partial(open_store_alone, analysed=analysed)
    deadline, failures = time.monotonic() + patience_s, 0
    with contextlib.ExitStack() as stack:
        while True:
            owner = find_owner(settings)
            if owner is not None:
                yield ask_owner(settings, *owner)
                return
            check_store(settings)
            try:
                reader = stack.enter_context(opener(settings))
                break
            except UnreachableError:
                failures += 1
                # Only an owner is worth waiting for, and one may have just let go.
                hopeless = failures > 1 and not _is_owned(settings.data)
                if hopeless or time.monotonic() >= deadline:
                    raise
                time.sleep(_RETRY_S)
        yield LocalSource(reader)


def _is_owned(data: Path) -> bool:
    try:
        DataLock(data).close()
    except UnreachableError:
        return True
    return False


def check_store(settings: Settings) -> None:
    """See that there is a store.

    Raises:
        UnreachableError: When nothing has been recorded yet.
    """
    store = settings.store.path
    if store is not None and not store.exists():
        raise UnreachableError(
            "there is no store yet",
            because=f"nothing has been recorded in {store}",
            suggestion="fleetspan demo, or fleetspan up",
        )


def ask_owner(
    settings: Settings, endpoints: Endpoints, pid: int, *, timeout_s: float = 300.0
) -> OwnerSource:
    """Return a source that asks the collector that was found.

    Args:
        settings: Where the data are.
        endpoints: What it listens on.
        pid: Its process.
        timeout_s: Longest silence of it, in seconds.

    Raises:
        UnreachableError: When its web port is off.
    """
    if endpoints.web is None:
        raise UnreachableError(
            "the running collector cannot be asked",
            because=f"process {pid} owns {settings.data} and its web port is off",
            suggestion="start it without --web off",
        )
    shown = OwnerPass.read(settings.data)
    return OwnerSource(endpoints.web, shown, timeout_s=timeout_s)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

"""Makes the tables of a cluster in an embedded engine with a configuration; a process.

Once with their replicated engines, and once with the plain ones, so that the Distributed
tables and views over them can be made, too.

``python replicated_process.py FOLDER CONFIG`` prints one JSON document. A process of its
own, because an engine has one configuration for its whole life.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

import chdb

from fleetspan_collector.store.migrate import Retention, statements

_READONLY_S: Final = 5.0
_REPLICATED: Final = re.compile(r"Replicated(\w+)\('[^']*', '[^']*'(?:, )?")


def main(folder: str, config: str) -> None:
    """Make all tables, see what became of their replicas, and print it."""
    connect: Any = chdb.connect
    connection = connect(f"{folder}?config-file={config}")

    def run(sql: str) -> list[tuple[object, ...]]:
        cursor = connection.cursor()
        try:
            cursor.execute(sql)
        except RuntimeError as error:
            sys.stderr.write(f"{sql}\n{str(error)[:2000]}\n")
            sys.stderr.flush()
            os._exit(1)
        return [tuple(row) for row in cursor.fetchall() or ()]

    for statement in _on_one_node("otel"):
        # Only the making: a replica that is not active cannot be changed.
        if statement.startswith(("CREATE DATABASE", "CREATE TABLE")):
            run(statement)
    for statement in _on_one_node("plain"):
        run(_REPLICATED.sub(r"\1(", statement))
    time.sleep(_READONLY_S)
    replicas = run("SELECT table, zookeeper_path, is_readonly FROM system.replicas")
    engines = run("SELECT name, engine FROM system.tables WHERE database = 'plain'")
    errors = run(
        "SELECT DISTINCT last_error_message FROM system.errors"
        " WHERE last_error_message LIKE '%replication%'"
    )
    document = {"replicas": replicas, "engines": engines, "errors": errors}
    print(json.dumps(document), flush=True)  # noqa: T201 - its answer
    # It does not end by itself while replicas try to come up.
    os._exit(0)


def _on_one_node(database: str) -> Iterator[str]:
    """The statements of a cluster, without what only a server carries out for others."""
    for statement in statements(
        database, "two", retention=Retention(), idle_timeout_s=900
    ):
        if not statement.startswith("INSERT"):
            yield statement.replace(" ON CLUSTER two", "")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A collector's ClickHouse interface, and how tests talk to it without a client."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import clickhouse_connect
from clickhouse_connect.driver.client import Client

from tests.collector_processor.access.keyed import KeyedCollector


@dataclass(frozen=True)
class Endpoint:
    """The interface of a running collector, with keys by name."""

    collector: KeyedCollector
    keys: Mapping[str, str]

    @property
    def host(self) -> str:
        """Its address."""
        return self.collector.endpoint("clickhouse").rsplit(":", 1)[0]

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.collector.endpoint("clickhouse").rsplit(":", 1)[1])

    def client(self, key: str, **options: Any) -> Client:
        """Return a client of ClickHouse that shows a key as its password."""
        return clickhouse_connect.get_client(
            host=self.host,
            port=self.port,
            username="default",
            password=self.keys[key],
            **options,
        )

    def ask(
        self,
        query: str,
        body: bytes | None = None,
        *,
        key: str | None = "all",
        headers: Mapping[str, str] | None = None,
        **parameters: Any,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one statement; return status, headers and body.

        It goes in the body, or in the address with ``body`` behind it.
        """
        shown = dict(headers or {})
        if key is not None:
            pair = base64.b64encode(f"default:{self.keys[key]}".encode()).decode()
            shown["Authorization"] = f"Basic {pair}"
        if body is not None:
            parameters["query"] = query
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            path = "/?" + urlencode(parameters)
            connection.request("POST", path, body or query.encode(), shown)
            answer = connection.getresponse()
            received = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, received, answer.read()
        finally:
            connection.close()

    def text(self, query: str, **options: Any) -> str:
        """Return the result of a statement as text.

        Raises:
            AssertionError: When it is refused.
        """
        status, _, body = self.ask(query, **options)
        assert status == 200, body
        return body.decode()

    def refusal(self, query: str, **options: Any) -> str:
        """Return why a statement is refused.

        Raises:
            AssertionError: When it is not.
        """
        status, headers, body = self.ask(query, **options)
        assert status >= 400, (query, body[:500])
        assert headers["x-clickhouse-exception-code"]
        return body.decode()

"""The interface over TLS, with certificates of clients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from fleetspan_collector.access import Scope
from tests.collector_processor.access.keyed import Authority, KeyedCollector, make_key
from tests.collector_processor.clickhouse_http.conftest import PORTS

pytestmark = pytest.mark.integration


def test_a_client_shows_its_certificate_and_its_key(tmp_path: Path) -> None:
    """Who has both reads; who lacks one does not."""
    authority, clients = Authority(tmp_path), Authority(tmp_path, "clients")
    server, client = authority.issue("server"), clients.issue("client")
    data = tmp_path / "data"
    data.mkdir()
    key = make_key(data, None, (Scope.READ,))
    with KeyedCollector(
        data, tls=server, client_authority=clients.certificate, ports=PORTS
    ) as collector:
        host, _, port = collector.endpoint("clickhouse").rpartition(":")
        options: dict[str, Any] = {
            "host": host,
            "port": int(port),
            "secure": True,
            "ca_cert": str(authority.certificate),
            "username": "default",
        }
        shown: dict[str, Any] = {
            "client_cert": str(client.certificate),
            "client_cert_key": str(client.private_key),
            "tls_mode": "strict",
        }
        reading = clickhouse_connect.get_client(**options, **shown, password=key)
        assert reading.command("SELECT 7") == 7
        with pytest.raises(OperationalError):
            clickhouse_connect.get_client(**options, password=key)
        with pytest.raises(DatabaseError, match="AUTHENTICATION_FAILED"):
            clickhouse_connect.get_client(**options, **shown, password=key[:-1])

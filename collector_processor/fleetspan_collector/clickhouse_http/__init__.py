"""ClickHouse's HTTP interface over the embedded engine."""

from fleetspan_collector.clickhouse_http.app import ClickHouseApp

__all__ = ["ClickHouseApp"]

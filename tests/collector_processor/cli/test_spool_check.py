"""What ``doctor`` says of hooks that wait to be sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from fleetspan_collector.cli._claude_checks import check_spool
from fleetspan_hook.spool import Delivery, Spool, folder_name


def test_spooled_hooks_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is fine; what waits, and what was given up, is a warning with its mend."""
    monkeypatch.setenv("FLEETSPAN_SPOOL", str(tmp_path))
    assert (check_spool().status, check_spool().detail) == ("ok", "empty")
    endpoint = "http://127.0.0.1:4318"
    spool = Spool(str(tmp_path / folder_name(endpoint)), endpoint)
    kept = spool.put(Delivery(1, "one", "", b"{}"))
    spool.put(Delivery(2, "two", "", b"{}"))
    spool.count_dropped()
    assert kept is not None
    found = check_spool()
    assert (found.status, found.detail) == (
        *("warn", "2 waiting, 1 dropped, 0 refused"),
    )
    assert found.fix == "fleetspan claude flush, with the collector running"

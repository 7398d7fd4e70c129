"""The JSON API over a real store: what it says, part by part, and to whom."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.collector_processor.web.api.conftest import RUNS, Asked

pytestmark = pytest.mark.integration

ALWAYS = "since=2020-01-01T00:00:00Z"


def test_runs_come_part_by_part(api: Asked) -> None:
    """Every run is in exactly one part, in the order asked for, either way."""
    for sort in ("started", "duration", "cost", "tokens", "errors", "agents"):
        for order in ("asc", "desc"):
            found: list[dict[str, Any]] = []
            cursor = ""
            while True:
                path = f"runs?{ALWAYS}&sort={sort}&order={order}&limit=4{cursor}"
                part = api.document(path)
                found += part["runs"]
                assert len(part["runs"]) <= 4
                if part["next_cursor"] is None:
                    break
                cursor = f"&cursor={quote(part['next_cursor'])}"
            ids = [run["run_id"] for run in found]
            assert len(ids) == len(set(ids)) == 2 * RUNS + 2


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("service=service+of+a", RUNS),
        ("user=user+of+b", RUNS),
        ("session=session+of+a+1", 2),
        ("agent=agent+of+a", RUNS),
        ("model=model-of-b", RUNS),
        ("tool=Bash", 2 * RUNS),
        ("status=ok", 0),
        ("q=agent+of+a", RUNS),
        ("q=no+such+thing", 0),
        ("service=service+of+a&user=user+of+b", 0),
    ],
)
def test_filters(api: Asked, condition: str, count: int) -> None:
    """Each narrows the list down to what it names."""
    found = api.document(f"runs?{ALWAYS}&{condition}")["runs"]
    if condition == "status=ok":
        statuses = {run["status"] for run in found}
        assert statuses <= {"ok"}
        return
    assert len(found) == count


def test_a_cursor_is_of_its_question(api: Asked) -> None:
    """Taken to another one, or made up, it is refused with a reason."""
    first = api.document(f"runs?{ALWAYS}&limit=2")["next_cursor"]
    for path in (
        f"runs?{ALWAYS}&sort=cost&limit=2&cursor={quote(first)}",
        f"runs?{ALWAYS}&cursor=made-up",
        "findings?cursor=made-up",
        "sessions?cursor=%00",
    ):
        status, said = api.get(path)
        assert status == 400, (path, said)
        assert said["error"]
        assert said["because"]


def test_a_waterfall_holds_the_run(api: Asked) -> None:
    """Rows of every kind, each below its parent, as many as the store has."""
    run = api.document(f"runs?{ALWAYS}&service=service+of+a")["runs"][0]
    rows = api.document(f"runs/{quote(run['run_id'], safe='')}/timeline")["rows"]
    kinds = [*rows["kind"]]
    assert kinds.count("agent") == 1
    assert kinds.count("llm") == 1
    assert kinds.count("tool") == 6
    for index, parent in enumerate(rows["parent"]):
        assert parent < len(kinds)
        assert (parent < 0) == (kinds[index] == "agent")
    assert {len(column) for column in rows.values()} == {len(kinds)}


def test_every_row_can_be_had_in_full(api: Asked) -> None:
    """With its facts and its attributes."""
    run = api.document(f"runs?{ALWAYS}&service=service+of+a")["runs"][0]
    path = f"runs/{quote(run['run_id'], safe='')}"
    rows = api.document(f"{path}/timeline")["rows"]
    for kind, name, trace in zip(
        rows["kind"], rows["id"], rows["trace_id"], strict=True
    ):
        item = api.document(
            f"{path}/items/{kind}/{quote(name, safe='')}?trace_id={trace}"
        )
        assert item["facts"]
        keys = {pair["key"] for pair in item["attributes"]}
        assert "gen_ai.operation.name" in keys
    status, _ = api.get(f"{path}/items/llm/no-such-call")
    assert status == 404


def test_who_is_at_work(api: Asked) -> None:
    """Agents that have begun and not ended, with the names of their runs."""
    agents = api.document("fleet")["agents"]
    # Their last activity is yesterday's: they count as given up.
    assert agents == []


PATHS = (
    *(
        "runs",
        "findings",
        "sessions",
        "fleet",
        "attention",
        "coverage",
        "cost?by=agent",
    ),
    *("cost?by=model", "cost?by=service", "facets?field=agent", "facets?field=model"),
    *("facets?field=service", "facets?field=user", "facets?field=tool"),
)


@pytest.mark.parametrize("path", PATHS)
def test_a_tenant_is_told_of_itself(api: Asked, path: str) -> None:
    """Nothing of another tenant stands in any document."""
    path += ("&" if "?" in path else "?") + ALWAYS
    if path.startswith(("fleet", "attention")):
        path = path.partition("?")[0]
    for key, other in (("a", "of b"), ("b", "of a")):
        text = json.dumps(api.document(path, key))
        assert other not in text
        assert other.replace(" ", "-") not in text
    text = json.dumps(api.document(path, "c"))
    assert "of a" not in text
    assert "of b" not in text


def test_a_tenant_cannot_name_another_s_run(api: Asked) -> None:
    """Whatever is asked of it, it is not there."""
    run = api.document(f"runs?{ALWAYS}", "a")["runs"][0]["run_id"]
    name = quote(run, safe="")
    for path in (
        f"runs/{name}",
        f"runs/{name}/timeline",
        f"runs/{name}/findings",
        f"runs/{name}/items/agent/000000000000000a",
    ):
        assert api.get(path, "a")[0] == 200
        status, said = api.get(path, "b")
        assert status == 404, said
        assert "of a" not in json.dumps(said)


def test_who_only_sends_reads_nothing(api: Asked) -> None:
    """The scope `ingest` opens no document."""
    for path in (*PATHS, "runs/x", "runs/x/timeline"):
        assert api.get(path, "ingest")[0] == 403

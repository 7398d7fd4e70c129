"""What agents planned: their latest todo lists, and tasks as they stood."""

from __future__ import annotations

import bisect
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fleetspan_collector.snapshots.standing import LONGEST_TEXT

MOST_TODOS: Final = 200


def todos_at(rows: Sequence[Mapping[str, Any]], at_ns: int) -> list[dict[str, Any]]:
    """The latest list of each agent, and its tasks as they stood."""
    lists: dict[str, list[dict[str, Any]]] = {}
    tasks: dict[tuple[str, str], dict[str, Any]] = {}
    count = bisect.bisect_right(rows, at_ns, key=lambda row: row["At"])
    for row in rows[:count]:
        agent, given, result = (
            row["AgentId"],
            _object(row["Input"]),
            _object(row["Result"]),
        )
        if row["Tool"] == "TodoWrite":
            listed = given.get("todos")
            lists[agent] = [
                _todo(agent, each.get("content"), each.get("status"))
                for each in (listed if isinstance(listed, list) else [])
                if isinstance(each, dict)
            ]
        elif row["Tool"] == "TaskCreate":
            made = result.get("task")
            task_id = made.get("id") if isinstance(made, dict) else None
            tasks[agent, str(task_id or len(tasks) + 1)] = _todo(
                agent, given.get("subject"), "pending"
            )
        else:
            task = tasks.get((agent, str(given.get("taskId"))))
            if task is not None and isinstance(given.get("status"), str):
                task["status"] = given["status"]
    found = [todo for listed in lists.values() for todo in listed]
    found += [task for task in tasks.values() if task["status"] != "deleted"]
    return found[:MOST_TODOS]


def _todo(agent: str, content: object, status: object) -> dict[str, Any]:
    return {
        "agent_id": agent,
        "content": str(content or "")[:LONGEST_TEXT],
        "status": status if isinstance(status, str) else "pending",
    }


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

"""A server of the Model Context Protocol with one tool, whose answer is long.

``python shop.py``, on standard input and output; it imports nothing that is not Python's.
"""

from __future__ import annotations

import json
import sys
from typing import Any

ROWS = [{"id": n, "name": f"order {n}", "total": n * 7 % 1000} for n in range(800)]


def answer(method: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a request."""
    match method:
        case "initialize":
            return {
                "protocolVersion": asked.get("protocolVersion"),
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "shop", "version": "1"},
            }
        case "tools/list":
            schema = {"type": "object", "properties": {}}
            tool = {"name": "orders", "description": "Orders", "inputSchema": schema}
            return {"tools": [tool]}
        case "tools/call":
            return {"content": [{"type": "text", "text": json.dumps(ROWS)}]}
    return {}


def main() -> None:
    """Answer requests, a line each, until there are no more."""
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" in asked:
            result = answer(asked["method"], asked.get("params") or {})
            said = {"jsonrpc": "2.0", "id": asked["id"], "result": result}
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()

"""The schema of a dashboard, from Grafana's own TypeScript."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent

# What a newer Grafana ignores in a document that an older one reads.
_OF_OLDER_GRAFANA: Final[dict[str, dict[str, Any]]] = {
    # `@grafana/schema` 11.6.9, TableFooterOptions: the footer became a field's option.
    "table": {
        "footer": {
            "additionalProperties": False,
            "properties": {
                "countRows": {"type": "boolean"},
                "enablePagination": {"type": "boolean"},
                "fields": {"items": {"type": "string"}, "type": "array"},
                "reducer": {"items": {"type": "string"}, "type": "array"},
                "show": {"type": "boolean"},
            },
            "type": "object",
        }
    }
}
# IntervalVariableModel of `@grafana/data`, which this package has no type of; Grafana's
# own foundation SDK writes them for variables of every type.
_OF_INTERVALS: Final[dict[str, dict[str, Any]]] = {
    "auto": {"type": "boolean"},
    "auto_count": {"type": "integer"},
    "auto_min": {"type": "string"},
}


class UnavailableError(Exception):
    """The packages cannot be had here."""


def dashboard() -> dict[str, Any]:
    """Return the schema; needs Node.js, npm and its registry.

    Raises:
        UnavailableError: When npm cannot install the packages.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name in ("dashboard.ts", "package.json", "tsconfig.json"):
            shutil.copy(FOLDER / name, work)
        try:
            _run(work, "npm", "install", "--no-audit", "--no-fund", "--no-package-lock")
        except subprocess.CalledProcessError as error:
            raise UnavailableError(
                f"npm cannot install: {error.stderr[-300:]}"
            ) from error
        made = _run(
            work,
            *("npx", "ts-json-schema-generator", "--path", "dashboard.ts"),
            *("--tsconfig", "tsconfig.json", "--type", "Everything"),
            *("--no-top-ref", "--expose", "none"),
        )
    return _assemble(json.loads(made)["properties"])


def _run(folder: Path, *command: str) -> str:
    return subprocess.run(
        command, check=True, cwd=folder, capture_output=True, text=True
    ).stdout


def _assemble(made: dict[str, Any]) -> dict[str, Any]:
    """Return one schema with a definition of each kind of panel."""
    panels: dict[str, Any] = made["panels"]["properties"]
    shared: dict[str, Any] = {}
    for kind, panel in panels.items():
        options = panel["properties"]["options"]
        options.get("properties", {}).update(_OF_OLDER_GRAFANA.get(kind, {}))
        fields = panel["properties"]["fieldConfig"]["properties"]
        defaults = fields["defaults"]["properties"]
        _complete(options)
        _complete(defaults["custom"])
        fields["overrides"]["items"]["properties"]["properties"]["items"] = _override(
            defaults, shared
        )
    row = made["row"]
    whole: dict[str, Any] = made["dashboard"]
    variable = whole["properties"]["templating"]["properties"]["list"]["items"]
    variable["properties"].update(_OF_INTERVALS)
    row["properties"]["panels"]["items"] = {"$ref": "#/definitions/panel"}
    whole["properties"]["panels"]["items"] = _by_type(
        {"row": {"$ref": "#/definitions/row"}} | _refs(panels)
    )
    parts = {f"panel: {kind}": panel for kind, panel in panels.items()}
    parts |= {"row": row, "panel": _by_type(_refs(panels)), "override": shared}
    whole["definitions"] = parts
    _strip(whole)
    _share(whole)
    whole["$schema"] = "http://json-schema.org/draft-07/schema#"
    return whole


def _refs(panels: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {kind: {"$ref": f"#/definitions/panel: {kind}"} for kind in panels}


def _by_type(schemas: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that says what is wrong with one type, not with all of them."""
    return {
        "allOf": [
            {"if": {"properties": {"type": {"const": kind}}}, "then": schema}
            for kind, schema in sorted(schemas.items())
        ],
        "properties": {"type": {"enum": sorted(schemas)}},
        "required": ["type"],
        "type": "object",
    }


def _complete(schema: Any) -> None:
    """Let everything be left out but what tells one form from another.

    Grafana completes options and fields with its plugin's defaults, at every depth
    (getPanelOptionsWithDefaults.ts).
    """
    for part in _parts(schema):
        if isinstance(names := part.get("required"), list):
            properties = part["properties"]
            kept = [name for name in names if "const" in properties[name]]
            part["required"] = kept
            if not kept:
                del part["required"]


def _override(defaults: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a field's property: its id says which one it is of.

    The ids are the names of FieldConfig, and with ``custom.`` before them those of the
    panel's own fields, which may go further down (`custom.tooltip.field`).

    Args:
        defaults: What the field's defaults may be, by name.
        shared: Takes what holds for FieldConfig, whatever the panel.
    """
    known = {name: schema for name, schema in defaults.items() if name != "custom"}
    shared.update(allOf=_values(known))
    custom: dict[str, Any] = defaults["custom"].get("properties", {})
    own = {f"custom.{name}": schema for name, schema in custom.items()}
    allowed: list[dict[str, Any]] = [{"enum": sorted(known | own)}]
    if custom:
        allowed.append({"pattern": rf"^custom\.({'|'.join(sorted(custom))})\."})
    return {
        "additionalProperties": False,
        "allOf": [{"$ref": "#/definitions/override"}, *_values(own)],
        "properties": {"id": {"anyOf": allowed, "type": "string"}, "value": {}},
        "required": ["id"],
        "type": "object",
    }


def _values(schemas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "if": {"properties": {"id": {"const": name}}},
            "then": {"properties": {"value": schema}},
        }
        for name, schema in sorted(schemas.items())
        if schema
    ]


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every object within, the inner ones first."""
    if isinstance(schema, dict):
        for inner in schema.values():
            yield from _parts(inner)
        yield schema
    elif isinstance(schema, list):
        for inner in schema:
            yield from _parts(inner)


def _strip(schema: Any) -> None:
    """Leave out descriptions; `properties` may have one of that name, an object."""
    for part in _parts(schema):
        if isinstance(part.get("description"), str):
            del part["description"]


def _share(schema: dict[str, Any]) -> None:
    """Write long parts that occur more than once a single time, as definitions."""
    definitions: dict[str, Any] = schema["definitions"]
    while True:
        counts: Counter[str] = Counter()
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        for part in _parts(schema):
            for name, inner in part.items():
                if (
                    isinstance(inner, dict)
                    and isinstance(inner.get("type"), str)
                    and len(text := json.dumps(inner, sort_keys=True)) > 160
                ):
                    counts[text] += 1
                    found.setdefault(text, (name, inner))
        repeated = [text for text, number in counts.items() if number > 1]
        if not repeated:
            return
        longest = max(repeated, key=lambda text: (len(text), text))
        stem, inner = found[longest]
        name = stem
        number = 2
        while name in definitions:
            name, number = f"{stem} {number}", number + 1
        _replace(schema, longest, f"#/definitions/{name}")
        definitions[name] = inner


def _replace(schema: Any, text: str, ref: str) -> None:
    for part in _parts(schema):
        for name, inner in part.items():
            if isinstance(inner, dict) and json.dumps(inner, sort_keys=True) == text:
                part[name] = {"$ref": ref}

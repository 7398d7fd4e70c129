"""Schemas of the bodies of Grafana's HTTP API, from the structs of its Go client."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

MODULE: Final = "github.com/grafana/grafana-openapi-client-go"
VERSION: Final = "v0.0.0-20260330113218-ee77c4f6f90e"

ROOTS: Final = (
    *("AlertRuleGroup", "AlertingFileExport", "ProvisionedAlertRule"),
    *("ProvisionedAlertRules", "ValidationError", "PublicError"),
    *("SaveDashboardCommand", "PostDashboardOKBody", "DashboardFullWithMeta"),
    *("CreateFolderCommand", "UpdateFolderCommand", "Folder", "FolderSearchHit"),
    *("AddDataSourceCommand", "UpdateDataSourceCommand", "AddDataSourceOKBody"),
    *("UpdateDataSourceByUIDOKBody", "DataSource", "DataSourceListItemDTO"),
    *("ErrorResponseBody", "HealthResponse"),
)

_PLAIN: Final[dict[str, dict[str, Any]]] = {
    "bool": {"type": "boolean"},
    "float32": {"type": "number"},
    "float64": {"type": "number"},
    "int32": {"type": "integer"},
    "int64": {"type": "integer"},
    "interface{}": {},
    "string": {"type": "string"},
    "strfmt.DateTime": {"format": "date-time", "type": "string"},
    # model.Duration of Prometheus: "1h30m", its units from the longest to the shortest.
    "strfmt.Duration": {
        "pattern": r"^(0|(?=.)(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?)$",
        "type": "string",
    },
}
_INTERVALS: Final = "group_interval", "group_wait", "repeat_interval"
_STATES: Final = "Alerting", "KeepLast", "NoData", "OK"
_ERRORS: Final = "Alerting", "Error", "KeepLast", "OK"

# Where the client's description is not what Grafana reads and writes.
CORRECTIONS: Final[dict[str, dict[str, Any]]] = {
    # Seconds (pkg/services/ngalert/models/alert_query.go, Duration.UnmarshalJSON).
    "Duration": {"minimum": 0, "type": "integer"},
    # "name=value" (the file format), and three strings.
    "Matchers": {"items": {"type": "string"}, "type": "array"},
    "ObjectMatcher": {
        "items": {"type": "string"},
        "maxItems": 3,
        "minItems": 3,
        "type": "array",
    },
}
FIELDS: dict[tuple[str, str], dict[str, Any]] = {
    # Since Grafana 11 (pkg/services/ngalert/models/alert_rule.go, KeepLast).
    ("ProvisionedAlertRule", "noDataState"): {"enum": list(_STATES)},
    ("ProvisionedAlertRule", "execErrState"): {"enum": list(_ERRORS)},
    ("AlertRuleExport", "noDataState"): {"enum": list(_STATES)},
    ("AlertRuleExport", "execErrState"): {"enum": list(_ERRORS)},
    # pkg/services/ngalert/models/provisioning.go
    ("ProvisionedAlertRule", "provenance"): {
        "enum": ["", "api", "file", "converted_prometheus"]
    },
    ("AlertQuery", "model"): {"type": "object"},
    ("AlertQueryExport", "model"): {"type": "object"},
    ("ReceiverExport", "settings"): {"type": "object"},
    ("SaveDashboardCommand", "dashboard"): {"type": "object"},
    ("DashboardFullWithMeta", "dashboard"): {"type": "object"},
    ("AddDataSourceCommand", "jsonData"): {"type": "object"},
    ("UpdateDataSourceCommand", "jsonData"): {"type": "object"},
    # Of both commands and of what is kept (pkg/services/datasources/models.go).
    ("AddDataSourceCommand", "access"): {"enum": ["", "direct", "proxy"]},
    ("UpdateDataSourceCommand", "access"): {"enum": ["", "direct", "proxy"]},
}
# Durations that the client has as strings of any form.
FIELDS |= {
    (struct, field): _PLAIN["strfmt.Duration"]
    for struct, fields in (
        ("AlertRuleExport", ("for", "keepFiringFor")),
        ("AlertRuleGroupExport", ("interval",)),
        ("AlertRuleNotificationSettings", _INTERVALS),
        ("AlertRuleNotificationSettingsExport", _INTERVALS),
        ("NotificationPolicyExport", _INTERVALS),
        ("RouteExport", _INTERVALS),
    )
    for field in fields
}
# pkg/services/dashboards/models.go and pkg/services/datasources/models.go:
# `binding:"Required"`, which the description leaves out.
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "AddDataSourceCommand": ("name", "type", "access"),
    "SaveDashboardCommand": ("dashboard",),
    "UpdateDataSourceCommand": ("name", "type", "access"),
}
# pkg/api/dashboard.go, postDashboard: what the description calls a title is the slug.
RENAMED: Final[dict[tuple[str, str], str]] = {("PostDashboardOKBody", "title"): "slug"}

_TYPE: Final = re.compile(
    r"^type (\w+) (struct \{(.*?)^\}|[^\n]+)", re.MULTILINE | re.DOTALL
)
_FIELD: Final = re.compile(
    r"(?P<comment>(?:^\t//[^\n]*\n)*)"
    r'^\t\w+ (?P<type>\S+) `json:"(?P<name>\w+)[^`]*`',
    re.MULTILINE,
)


class UnavailableError(Exception):
    """The client cannot be had here."""


def api() -> dict[str, Any]:
    """Return the schemas by name; needs Go and its module proxy.

    Raises:
        UnavailableError: When Go cannot fetch the client.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["go", "mod", "download", "-json", f"{MODULE}@{VERSION}"],
            check=False,
            cwd=folder,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise UnavailableError(f"Go cannot fetch the client: {done.stderr[-300:]}")
    models = Path(json.loads(done.stdout)["Dir"]) / "models"
    types = {
        name: (whole, body)
        for file in sorted(models.glob("*.go"))
        for name, whole, body in _TYPE.findall(file.read_text())
    }
    made: dict[str, Any] = {}
    waiting = list(ROOTS)
    while waiting:
        name = waiting.pop()
        if name not in made:
            made[name], needed = _schema(name, *types[name])
            waiting += needed
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": dict(sorted(made.items())),
    }


def _schema(name: str, whole: str, body: str) -> tuple[dict[str, Any], list[str]]:
    """Return a type's schema and the types it names."""
    if name in CORRECTIONS:
        return CORRECTIONS[name], []
    if not whole.startswith("struct"):
        return _of(whole.strip())
    properties: dict[str, Any] = {}
    required = list(REQUIRED.get(name, ()))
    needed: list[str] = []
    for field in _FIELD.finditer(body):
        key = RENAMED.get((name, field["name"]), field["name"])
        schema, more = _of(field["type"])
        needed += more
        comment = field["comment"]
        if own := FIELDS.get((name, key)):
            # A reference would hide what stands beside it.
            schema = {at: part for at, part in schema.items() if at != "$ref"} | own
        else:
            schema |= _limits(comment)
        properties[key] = schema
        if "// Required: true" in comment:
            required.append(key)
    made: dict[str, Any] = {
        "additionalProperties": False,
        "properties": properties,
        "type": "object",
    }
    if required:
        made["required"] = sorted(required)
    return made, needed


def _of(kind: str) -> tuple[dict[str, Any], list[str]]:
    """Return the schema of a Go type and the types it names."""
    kind = kind.removeprefix("*")
    if kind.startswith("[]"):
        schema, needed = _of(kind[2:])
        return {"items": schema, "type": "array"}, needed
    if kind.startswith("map[string]"):
        schema, needed = _of(kind.removeprefix("map[string]"))
        return {"additionalProperties": schema, "type": "object"}, needed
    if kind in _PLAIN:
        return dict(_PLAIN[kind]), []
    return {"$ref": f"#/definitions/{kind}"}, [kind]


def _limits(comment: str) -> dict[str, Any]:
    """Return what a field's comment says of its values."""
    found: dict[str, Any] = {}
    for line in comment.splitlines():
        name, _, value = line.strip("\t/ ").partition(": ")
        if name == "Enum":
            found["enum"] = value.strip("[]").split()
        elif name in ("Max Length", "Min Length"):
            found[f"{name[:3].lower()}Length"] = int(value)
        elif name == "Pattern":
            found["pattern"] = value
    return found

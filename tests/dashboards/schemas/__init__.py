"""Checks of what is for Grafana, against Grafana's own types.

README.md says where the schemas are from, and what they leave unchecked.
"""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError, best_match

FOLDER: Final = Path(__file__).parent

# Fields of the file format that an export never has
# (pkg/services/provisioning/alerting/types.go, AlertingFileV1).
_DELETIONS: Final[dict[str, Any]] = {
    **{
        name: {
            "items": {
                "additionalProperties": False,
                "properties": {key: {"type": "string"}, "orgId": {"type": "integer"}},
                "required": [key],
                "type": "object",
            },
            "type": "array",
        }
        for name, key in {
            "deleteContactPoints": "uid",
            "deleteMuteTimes": "name",
            "deleteRules": "uid",
            "deleteTemplates": "name",
        }.items()
    },
    "resetPolicies": {"items": {"type": "integer"}, "type": "array"},
    "templates": {
        "items": {
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string"},
                "orgId": {"type": "integer"},
                "template": {"type": "string"},
            },
            "required": ["name", "template"],
            "type": "object",
        },
        "type": "array",
    },
}
# Without these Grafana does not start: the export's types have no field that must be
# there (pkg/services/provisioning/alerting/*_types.go, the functions mapToModel).
_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "AlertQueryExport": ("refId", "datasourceUid", "model"),
    "AlertRuleExport": ("uid", "title", "condition", "data"),
    "AlertRuleGroupExport": ("name", "folder", "interval", "rules"),
    "AlertingFileExport": ("apiVersion",),
    "ContactPointExport": ("name", "receivers"),
    "NotificationPolicyExport": ("receiver",),
    "ReceiverExport": ("uid", "type", "settings"),
    "RelativeTimeRangeExport": ("from", "to"),
}


def check_dashboard(document: Any) -> None:
    """Refuse what is no classic dashboard of Grafana.

    Raises:
        AssertionError: At the first thing that is wrong, with the path to it.
    """
    _check(_dashboard(), document)


def check_alert_file(document: Any) -> None:
    """Refuse what is no file of Grafana's provisioning of alerts.

    It may hold what Grafana exports, and what only the file format has: deletions, the
    reset of policies, and templates of messages.

    Raises:
        AssertionError: At the first thing that is wrong, with the path to it.
    """
    _check(_alert_file(), document)


def check_api(name: str, document: Any) -> None:
    """Refuse what is no body of Grafana's HTTP API.

    Args:
        name: Of its type in grafana_api.json, such as ``SaveDashboardCommand``.
        document: The body.

    Raises:
        AssertionError: At the first thing that is wrong, with the path to it.
        KeyError: When there is no such type.
    """
    _check(_api(name), document)


def names() -> list[str]:
    """Return the names of the types that `check_api` knows."""
    return sorted(_read("grafana_api")["definitions"])


@functools.cache
def _read(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


@functools.cache
def _dashboard() -> Draft7Validator:
    return Draft7Validator(_read("dashboard"))


@functools.cache
def _api(name: str) -> Draft7Validator:
    definitions = _read("grafana_api")["definitions"]
    return Draft7Validator(definitions[name] | {"definitions": definitions})


@functools.cache
def _alert_file() -> Draft7Validator:
    definitions = copy.deepcopy(_read("grafana_api")["definitions"])
    definitions["AlertingFileExport"]["properties"] |= _DELETIONS
    definitions["AlertingFileExport"]["properties"]["apiVersion"] = {"const": 1}
    for name, needed in _NEEDED.items():
        definitions[name]["required"] = list(needed)
    return Draft7Validator(
        definitions["AlertingFileExport"] | {"definitions": definitions}
    )


def _check(validator: Draft7Validator, document: Any) -> None:
    error = best_match(validator.iter_errors(document))
    if error is not None:
        raise AssertionError(_said(error))


def _said(error: ValidationError) -> str:
    """Return where and what, in one line: ``panels[3].options: ...``."""
    path = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}"
        for part in error.absolute_path
    )
    return f"{path.lstrip('.') or 'the document'}: {error.message[:400]}"

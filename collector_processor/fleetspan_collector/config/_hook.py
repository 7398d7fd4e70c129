"""A user's hook: a command or a URL that is told of findings."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_SEVERITIES: Final = ("info", "low", "medium", "high", "critical")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
RESERVED: Final = "otlp"
"""The name under which what leaves as OTLP is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One entry of ``notify_hooks``.

    Attributes:
        name: What the user calls it; it is in every record of a delivery.
        command: What is run, and its arguments; empty for a webhook.
        url: Where findings are posted; empty for a command.
        detectors: Detectors that it is told of; empty for all.
        min_severity: The least severity that it is told of.
        secret_file: File with the secret that signs what is posted; ``""`` for none.
        secret_env: Environment variable with that secret; ``""`` for none.
        insecure: Allow plain HTTP beyond this machine.
        timeout_s: Seconds that one attempt may take.
        attempts: How often a delivery is tried before it is given up.
    """

    name: str
    command: tuple[str, ...] = ()
    url: str = ""
    detectors: tuple[str, ...] = ()
    min_severity: str = "info"
    secret_file: str = ""
    secret_env: str = ""
    insecure: bool = False
    timeout_s: float = 10.0
    attempts: int = 10

    def __str__(self) -> str:
        """Name and target, without what may be secret in it."""
        if self.command:
            return f"{self.name} (runs {self.command[0]})"
        parts = urlsplit(self.url)
        return f"{self.name} (posts to {parts.scheme}://{parts.netloc}/…)"


def read_hooks(value: object) -> tuple[Hook, ...]:
    """Read hooks by name: a table, or a JSON object as text.

    Raises:
        ValueError: When it is not one, or a hook cannot be used.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError("expected a JSON object of names and hooks") from None
    if not isinstance(value, dict):
        raise TypeError("expected a table of names and hooks")
    return tuple(_hook(name, given) for name, given in value.items())


def _hook(name: str, given: object) -> Hook:
    where = f"hook {name!r}"
    if not _NAME.fullmatch(name) or name == RESERVED:
        raise ValueError(
            f"{where}: expected a name of letters, digits, _, . and -, at most 64, "
            f"other than {RESERVED!r}"
        )
    if not isinstance(given, dict):
        raise TypeError(f"{where}: expected a table with a command or a url")
    if not set(given) <= set(_READERS):
        unknown = ", ".join(sorted(set(given) - set(_READERS)))
        raise ValueError(
            f"{where}: there is no {unknown}; there are {', '.join(_READERS)}"
        )
    read = {}
    for key, each in given.items():
        try:
            read[key] = _READERS[key](each)
        except (ValueError, TypeError) as problem:
            raise ValueError(f"{where}: {key}: {problem}") from None
    hook = Hook(name=name, **read)
    _check(hook, where)
    return hook


def _check(hook: Hook, where: str) -> None:
    if bool(hook.command) == bool(hook.url):
        raise ValueError(f"{where}: expected either a command or a url")
    if hook.secret_file and hook.secret_env:
        raise ValueError(f"{where}: expected secret_file or secret_env, not both")
    if hook.command and (hook.secret_file or hook.secret_env):
        raise ValueError(f"{where}: a secret signs what is posted to a url")
    parts = urlsplit(hook.url)
    plain = parts.scheme == "http" and parts.hostname not in _LOOPBACK
    if plain and not hook.insecure:
        raise ValueError(
            f"{where}: url: expected https://; insecure = true allows plain HTTP"
        )


def _command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise TypeError('expected a list such as ["/usr/bin/notify", "--fast"]')
    for word in value:
        if not isinstance(word, str) or "\0" in word:
            raise TypeError("expected texts")
    if not value[0]:
        raise ValueError("expected the name of a program")
    return tuple(value)


def _url(value: object) -> str:
    text = _text(value)
    parts = urlsplit(text)
    port_is_fine = True
    try:
        _ = parts.port
    except ValueError:
        port_is_fine = False
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_fine:
        raise ValueError("expected an address such as https://example.org/fleetspan")
    if not text.isascii() or any(c <= " " or c == "\x7f" for c in text):
        raise ValueError("expected an address of printable ASCII")
    if parts.username is not None or parts.fragment:
        raise ValueError("expected an address without a user and without a fragment")
    return text


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise TypeError("expected a text")
    return value


def _detectors(value: object) -> tuple[str, ...]:
    if value == "all":
        return ()
    if not isinstance(value, list) or not value:
        raise TypeError('expected a list of detectors, or "all"')
    return tuple(_text(each) for each in value)


def _severity(value: object) -> str:
    if value not in _SEVERITIES:
        raise ValueError("expected one of " + ", ".join(_SEVERITIES))
    return str(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("expected true or false")
    return value


def _seconds(value: object) -> float:
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    if not fits or not 0 < float(str(value)) <= 300:
        raise ValueError("expected seconds, more than 0 and at most 300")
    return float(str(value))


def _attempts(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 100:
        raise ValueError("expected a whole number from 1 to 100")
    return value


_READERS: Final[Mapping[str, Any]] = {
    "command": _command,
    "url": _url,
    "detectors": _detectors,
    "min_severity": _severity,
    "secret_file": _text,
    "secret_env": _text,
    "insecure": _flag,
    "timeout_s": _seconds,
    "attempts": _attempts,
}

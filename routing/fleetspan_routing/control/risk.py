"""How risky a call is, from 0 to 1: the sum of what speaks against it, each named.

The weights are those of the system that this carries on from.
"""

from __future__ import annotations

import os.path
import re
from dataclasses import dataclass
from typing import Any, Final

from fleetspan_routing.control.calls import SHELLS, Call

_DESTRUCTIVE: Final = re.compile(
    r"\brm\s+(?:-\w+\s+)*-\w*[rf]|\bgit\s+(?:reset\s+--hard|clean\s+-\w*f"
    r"|push\s+(?:\S+\s+)*(?:-f\b|--force))|\bsudo\b|\bmkfs|\bdd\s+.*\bof=/dev/"
    r"|\bchmod\s+-R\b|\bDROP\s+(?:TABLE|DATABASE)\b|\btruncate\s+-s\s*0",
    re.IGNORECASE,
)
_DELETING: Final = re.compile(r"(?:^|[;&|]\s*)(?:\S*/)?(?:rm|rmdir|unlink|shred)\s")
_MANIFESTS: Final = frozenset(
    [
        "package.json",
        "package-lock.json",
        "pyproject.toml",
        "requirements.txt",
        "Cargo.toml",
        "go.mod",
        "pom.xml",
        "Gemfile",
        "composer.json",
        "uv.lock",
        "poetry.lock",
    ]
)
_BUILD: Final = frozenset(
    [
        "Makefile",
        "Dockerfile",
        "CMakeLists.txt",
        "build.gradle",
        "tsconfig.json",
        "tox.ini",
        "setup.cfg",
        ".gitlab-ci.yml",
        "Jenkinsfile",
        "webpack.config.js",
        "docker-compose.yml",
        "compose.yaml",
    ]
)
_PERMISSIONS: Final = re.compile(
    r"(?:^|/)(?:\.claude/settings(?:\.local)?\.json|permissions?\.(?:json|ya?ml)"
    r"|sudoers|CODEOWNERS|\.ssh/|\.aws/credentials)"
)
_TESTS: Final = re.compile(r"(?:^|/)(?:tests?/|test_[^/]+$|[^/]+_test\.\w+$)")
_WRITERS: Final = frozenset({"Write", "Edit", "MultiEdit", "NotebookEdit"})
_NET: Final = frozenset({"WebFetch", "WebSearch"})
_LARGE: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """What speaks against a call.

    Attributes:
        total: 0 to 1.
        factors: What it consists of, by name.
    """

    total: float
    factors: dict[str, float]

    def sentence(self) -> str:
        """Say it."""
        listed = ", ".join(f"{name} {w:g}" for name, w in self.factors.items())
        return f"risk {self.total:.2f} ({listed})"


def risk(call: Call, project: str = "") -> Risk:
    """Score a call.

    Args:
        call: What is about to be done.
        project: The folder that the agent works on; paths beside it count as outside.
    """
    writes = call.tool in _WRITERS
    changed = call.paths if writes else ()
    factors: dict[str, float] = {}
    deletes = "delete" in call.tool.lower() or _DELETING.search(call.command)
    checks: tuple[tuple[str, float, Any], ...] = (
        ("deletes", 0.7, deletes),
        ("writes", 0.25, writes),
        ("changes tests", 0.3, any(map(_TESTS.search, changed))),
        ("runs a command", 0.2, call.tool in SHELLS),
        ("uses the network", 0.15, call.tool in _NET or call.hosts),
        ("is destructive", 0.6, _DESTRUCTIVE.search(call.command)),
        ("is large", 0.2, _size(call) > _LARGE),
        ("is outside the project", 0.5, _outside(call.paths, project)),
        ("changes a hidden file", 0.2, any(map(_hidden, changed))),
        ("changes dependencies", 0.2, _named(changed, _MANIFESTS)),
        ("changes the build", 0.2, _named(changed, _BUILD)),
        ("changes permissions", 0.3, any(map(_PERMISSIONS.search, call.paths))),
    )
    for name, weight, applies in checks:
        if applies:
            factors[name] = weight
    return Risk(total=min(1.0, sum(factors.values())), factors=factors)


def _size(call: Call) -> int:
    return sum(len(each) for each in call.arguments.values() if isinstance(each, str))


def _outside(paths: tuple[str, ...], project: str) -> bool:
    if not project:
        return False
    root = os.path.normpath(project)
    temporary = ("/tmp/", "/dev/null")  # noqa: S108 - nobody writes there here
    return any(
        path != root
        and not path.startswith((root + os.sep, *temporary))
        and path.startswith(("/", "~", ".."))
        for path in paths
    )


def _hidden(path: str) -> bool:
    return os.path.basename(path).startswith(".")


def _named(paths: tuple[str, ...], names: frozenset[str]) -> bool:
    return any(os.path.basename(path) in names for path in paths)

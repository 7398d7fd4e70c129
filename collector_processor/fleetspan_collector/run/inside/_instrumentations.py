"""Switches on the instrumentations that are installed beside the program.

As ``opentelemetry-instrument`` does, through the same entry points, with these differences:
an instrumentation waits until the program imports the library it watches, so that a script
which imports nothing costs nothing; of two that watch the same library one is taken; one
that fails does not stop the others; and the program's own ``instrument()`` goes first.
"""

from __future__ import annotations

import functools
import importlib
import os
import re
import threading
from collections.abc import Iterator
from importlib import metadata
from types import ModuleType
from typing import Any, NamedTuple

from . import _notes, _providers
from ._guard import guard
from ._imports import AfterImport

GROUPS = ("opentelemetry_instrumentor", "openinference_instrumentor")
DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_BASE = "opentelemetry.instrumentation.instrumentor"
_NOT_A_LIBRARY = {"test", "tests", "docs", "doc", "examples", "scripts", "benchmarks"}

_ours = threading.local()
_working: dict[str, Any] = {}
_taken_back: set[str] = set()
_library_of: dict[str, str] = {}


class Candidate(NamedTuple):
    """An instrumentation that is installed.

    Attributes:
        library: What it watches, as its entry point says.
        value: Where its class is, ``module:name``.
        package: The distribution that brings it.
        rank: The lower, the rather it is taken.
        modules: Whose import it waits for; empty: nobody's.
    """

    library: str
    value: str
    package: str
    rank: int
    modules: tuple[str, ...]


def watch(imports: AfterImport) -> None:
    """Choose the instrumentations and have each wait for its library."""
    with guard("look for instrumentations"):
        found = list(installed())
        _library_of.update({each.value: each.library for each in found})
        imports.when(_BASE, _yield_to_the_program)
        for chosen in choose(found):
            for name in chosen.modules:
                imports.when(name, functools.partial(_switch_on, chosen))
            if not chosen.modules:
                _switch_on(chosen)


def installed() -> Iterator[Candidate]:
    """Yield the instrumentations whose library is installed too, each once."""
    disabled = {each.strip() for each in os.environ.get(DISABLED, "").split(",")}
    if "*" in disabled:
        return
    seen = set()
    for each in metadata.distributions():
        if "_instrumentor]" not in (each.read_text("entry_points.txt") or ""):
            continue
        package = each.metadata["Name"]
        for entry_point in each.entry_points:
            name, value = entry_point.name, entry_point.value
            if entry_point.group not in GROUPS or value in seen:
                continue
            seen.add(value)
            watched = list(_watched(each))
            modules = tuple(m for name in watched for m in _modules_of(name))
            if {name, package} & disabled or (watched and not modules):
                continue
            library = _normal(name)
            yield Candidate(library, value, package, _rank(each), modules)


def choose(found: list[Candidate]) -> list[Candidate]:
    """Take one instrumentation for each library, and note which were left out."""
    chosen: dict[str, Candidate] = {}
    for each in sorted(found, key=lambda each: (each.library, each.rank, each.package)):
        first = chosen.setdefault(each.library, each)
        if first is not each:
            _notes.left_out(each.library, each.package, first.package)
    return list(chosen.values())


def _watched(package: metadata.Distribution) -> Iterator[str]:
    """Yield the distributions that a package watches: its ``instruments`` extras."""
    for requirement in package.requires or []:
        if re.search(r"extra\s*==\s*['\"]instruments(-any|_any)?['\"]", requirement):
            found = re.match(r"[A-Za-z0-9._-]+", requirement)
            if found:
                yield found[0]


def _modules_of(name: str) -> list[str]:
    """Return the top modules of a distribution, such as ``google.genai``; none if absent."""
    try:
        package = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return []
    tops: set[tuple[str, ...]] = set()
    for file in package.files or []:
        parts = file.parts
        if parts[-1] == "__init__.py":
            tops.add(parts[:-1])
        elif len(parts) == 1 and file.suffix == ".py":
            tops.add((file.stem,))
    found = [
        ".".join(each)
        for each in tops
        if each
        and all(part.isidentifier() for part in each)
        and each[0] not in _NOT_A_LIBRARY
        and not any(each[:length] in tops for length in range(1, len(each)))
    ]
    said = (package.read_text("top_level.txt") or "").split()
    return found or said or [_normal(name).replace("-", "_")]


def _rank(package: metadata.Distribution) -> int:
    """OpenTelemetry's GenAI packages first, its others, OpenInference's, the rest."""
    name = package.metadata["Name"].lower()
    authors = f"{package.metadata['Author-email']} {package.metadata['Author']}"
    if "OpenTelemetry Authors" in authors:
        return 0 if "-genai-" in name or "google-genai" in name else 1
    return 2 if name.startswith("openinference") else 3


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _switch_on(chosen: Candidate, _: ModuleType | None = None) -> None:
    if chosen.library in _working or chosen.library in _taken_back:
        return
    module, _colon, name = chosen.value.partition(":")
    with guard(f"switch on {chosen.package}"):
        # Before its import, which may import the library and so come back here.
        _working[chosen.library] = None
        instrumentation = getattr(importlib.import_module(module), name)()
        if getattr(instrumentation, "is_instrumented_by_opentelemetry", False):
            return
        _ours.at_work = True
        try:
            instrumentation.instrument(raise_exception_on_conflict=True)
        finally:
            _ours.at_work = False
        _working[chosen.library] = instrumentation
        _notes.switched_on(chosen.library, chosen.package)
        _providers.flush_on_sigterm()


def _yield_to_the_program(module: ModuleType) -> None:
    """Undo ours when the program itself switches an instrumentation on, its own way."""
    base: Any = module.BaseInstrumentor  # type: ignore[attr-defined,unused-ignore]
    instrument = base.instrument

    @functools.wraps(instrument)
    def instrument_for_the_program(self: Any, **options: Any) -> Any:
        if not getattr(_ours, "at_work", False):
            with guard("leave an instrumentation to the program"):
                _take_back(self)
        return instrument(self, **options)

    base.instrument = instrument_for_the_program


def _take_back(theirs: Any) -> None:
    kind = type(theirs)
    for value, library in _library_of.items():
        module, _, name = value.partition(":")
        same_module = f"{kind.__module__}.".startswith(f"{module}.")
        if name == kind.__name__ and same_module:
            _taken_back.add(library)
            ours = _working.pop(library, None)
            if ours is not None:
                ours.uninstrument()

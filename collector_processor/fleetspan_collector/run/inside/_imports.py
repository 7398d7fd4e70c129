"""Calls back when a module has been imported by the program."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ._guard import guard

Callback = Callable[[ModuleType], object]


class AfterImport:
    """A finder that finds nothing itself: it lets the others find, and waits."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Callback]] = {}

    def install(self) -> None:
        """Go before the finders that there are."""
        sys.meta_path.insert(0, self)

    def when(self, name: str, callback: Callback) -> None:
        """Call back with the module once it has run; at once when it already has."""
        module = sys.modules.get(name)
        if module is None:
            self._waiting.setdefault(name, []).append(callback)
        else:
            _call(callback, module)

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> ModuleSpec | None:
        """Find a module that somebody waits for, through the other finders."""
        if name not in self._waiting:
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: ModuleSpec | None = find(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader, self)  # type: ignore[assignment]
                return spec
        return None

    def imported(self, module: ModuleType) -> None:
        """Call back those who wait for a module that has just run."""
        for callback in self._waiting.pop(module.__name__, []):
            _call(callback, module)


class _Loader:
    """Stands in for a module's loader until the module runs."""

    def __init__(self, loader: Any, imports: AfterImport) -> None:
        self._loader = loader
        self._imports = imports

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        create = getattr(self._loader, "create_module", None)
        module: ModuleType | None = create(spec) if create else None
        return module

    def exec_module(self, module: ModuleType) -> None:
        # From here on the module has the loader that it would have had.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._imports.imported(module)


def _call(callback: Callback, module: ModuleType) -> None:
    with guard(f"after the import of {module.__name__}"):
        callback(module)

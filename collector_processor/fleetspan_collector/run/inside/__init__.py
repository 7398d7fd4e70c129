"""What happens inside the program: its instrumentations are switched on.

Loaded by path into the program's own Python, from 3.9 on, as ``_fleetspan_run``; only the
standard library and what the program's environment has may be imported here. Nothing is
imported before the program does: instrumentations wait for the library that they watch.
"""

from __future__ import annotations

import os

from . import _frameworks, _instrumentations, _notes, _providers
from ._imports import AfterImport


def start() -> None:
    """Wait for the imports that matter; nothing else happens at the start."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return
    imports = AfterImport()
    imports.install()
    _notes.watch(imports)
    _providers.watch(imports)
    _instrumentations.watch(imports)
    _frameworks.watch(imports)

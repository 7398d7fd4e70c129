"""Runs at the start of every Python below ``fleetspan run``, before the program.

Its folder is an entry of ``PYTHONPATH`` and holds nothing else, so that it shadows no
module. Any version of Python may come by, in any environment: the syntax is the oldest
that works, and what is newer is loaded only where it can be.
"""

# mypy: ignore-errors
# Annotations are syntax that the oldest Python does not have.

import os
import sys

OLDEST = (3, 9)


def _run_the_other():
    """Import the ``sitecustomize`` that would have been found without this one."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [each for each in sys.path if os.path.abspath(each) != here]
    ours = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401 - for its effect
    except ImportError as error:
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
    finally:
        # The import of this module, which is under way, needs a module to be there.
        sys.modules.setdefault("sitecustomize", ours)


def _start():
    """Load what looks after the instrumentations; whatever goes wrong stays here."""
    if sys.version_info < OLDEST or not os.environ.get("_FLEETSPAN_RUN"):
        return
    try:
        from importlib import util

        folder = os.path.join(
            os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "inside"
        )
        spec = util.spec_from_file_location(
            "_fleetspan_run",
            os.path.join(folder, "__init__.py"),
            submodule_search_locations=[folder],
        )
        module = util.module_from_spec(spec)
        sys.modules["_fleetspan_run"] = module
        spec.loader.exec_module(module)
        module.start()
    except Exception:
        # The program must not notice; FLEETSPAN's own developers may want to.
        if os.environ.get("_FLEETSPAN_RUN_DEBUG"):
            raise


try:
    _run_the_other()
finally:
    _start()

"""An event loop whose time jumps ahead whenever nothing is left to do now.

An hour of sleep takes no time, and everything takes exactly as long as it says, so that
a test can compare times with literals. A thread takes no time either.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

R = TypeVar("R")


class _JumpingSelector(selectors.BaseSelector):
    """Looks whether something has come; if not, sets the clock to the next timer."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """Return what is ready; wait only when there is no timer."""
        if timeout is None:
            return self._real.select(None)
        found = self._real.select(0)
        if not found and timeout > 0:
            self.now_s += timeout
        return found

    def register(self, fileobj: Any, events: int, data: Any = None) -> Any:
        """Watch a file."""
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> Any:
        """Stop watching a file."""
        return self._real.unregister(fileobj)

    def close(self) -> None:
        """Close the real one."""
        self._real.close()

    def get_map(self) -> Mapping[Any, Any]:
        """Return what is watched."""
        return self._real.get_map()


class VirtualLoop(asyncio.SelectorEventLoop):
    """The event loop."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual time, in seconds from 0."""
        return self._jumping.now_s


def run(work: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine in virtual time.

    Raises:
        AssertionError: When it leaves a task behind.
    """

    async def watched() -> R:
        try:
            return await work
        finally:
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"still running: {left}"

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(watched())

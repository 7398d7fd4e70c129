"""Agents whose process has died."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fleetspan._process import process_id
from fleetspan_collector.derive.liveness import dead, own_scope

pytestmark = pytest.mark.skipif(
    own_scope() is None, reason="only Linux names its processes"
)


class TestDead:
    """Only what is known to have ended is dead."""

    def test_this_process_lives(self) -> None:
        """The name that the SDK gives this process is found alive."""
        own = process_id()
        assert own is not None
        assert dead([own]) == set()

    def test_a_process_that_has_ended_is_dead(self) -> None:
        """A child's name stops being alive with the child, even before it is reaped."""
        code = "from fleetspan._process import process_id; print(process_id())"
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            name = child.stdout.read().strip()
            # Its output has ended and it may be a zombie; wait without reaping it.
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            assert dead([name]) == {name}

    def test_a_pid_that_was_given_away_is_dead(self) -> None:
        """The same pid with another start is another process."""
        own = process_id()
        assert own is not None
        scope_and_pid, _, start = own.rpartition("/")
        former = f"{scope_and_pid}/{int(start) - 1}"
        assert dead([former]) == {former}

    @pytest.mark.parametrize(
        "name",
        ["", "nonsense", "another-boot/4026531836/1/1", "{scope}x/y", "{scope}1/"],
    )
    def test_what_cannot_be_known_is_not_dead(self, name: str) -> None:
        """Another machine, another container, or no name at all: the idle setting decides."""
        assert dead([name.format(scope=own_scope())]) == set()

"""Files in which no state can be kept, or from which none can be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleetspan_routing.coordinator import (
    Phase,
    SnapshotError,
    Step,
    StepContext,
)
from fleetspan_routing.coordinator import snapshot as snapshots
from tests.routing.coordinator.workflows import Log, resume, run, timed, workflow


class TestFiles:
    """Files that cannot be used."""

    def test_unfinished_work_is_not_overwritten(self, tmp_path: Path) -> None:
        """Finished work is."""
        path = tmp_path / "state.json"
        fails = ["a"]
        work = workflow([timed("a", 1, fails=fails)])
        run(work, path)
        with pytest.raises(SnapshotError, match="would be overwritten"):
            run(work, path)
        fails.clear()
        assert resume(work, path).status == "completed"
        assert run(work, path).status == "completed"

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        """It is said before anything runs."""
        log = Log()
        with pytest.raises(SnapshotError, match="there is no folder"):
            run(workflow([timed("a", 1, log=log)]), tmp_path / "no" / "state.json")
        assert not log.calls

    @pytest.mark.parametrize(
        ("old", "new", "because"),
        [
            ("", "", "it is not JSON"),
            ("", "{", "it is not JSON"),
            ("", "[" * 99, "it is not JSON"),
            ("", "[]", "its format is"),
            ('"fleetspan.workflow"', '"other"', "its format is"),
            ('"version": 1', '"version": 2', "it has version 2, this reads 1"),
            ('"phase"', '"face"', "it is damaged"),
            ('"completed"', '"fine"', "it is damaged"),
            ('"build"', '"plan"', "fingerprint"),
        ],
    )
    def test_what_is_no_snapshot_is_refused(
        self, old: str, new: str, because: str, tmp_path: Path
    ) -> None:
        """With the reason: no snapshot, of a newer version, or changed by hand."""
        path = tmp_path / "state.json"
        work = workflow([timed("a", 1)])
        run(work, path)
        path.write_text(path.read_text().replace(old, new) if old else new)
        with pytest.raises(SnapshotError, match=because):
            resume(work, path)

    def test_no_file(self, tmp_path: Path) -> None:
        """There is nothing to resume."""
        with pytest.raises(SnapshotError, match="No such file"):
            resume(workflow([timed("a", 1)]), tmp_path / "state.json")

    def test_when_the_disk_fails_no_work_is_lost(self, tmp_path: Path) -> None:
        """All steps run; then it is said, with their results."""
        folder = tmp_path / "folder"
        folder.mkdir()

        async def remove(context: StepContext) -> str:
            # Its own state has not been written yet; nothing can be from now on.
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
            return "removed"

        steps = [
            Step(name="a", phase=Phase.BUILD, handler=remove),
            timed("b", 1, "a"),
        ]
        with pytest.raises(SnapshotError, match="could not be written") as caught:
            run(workflow(steps), folder / "state.json")
        result = caught.value.result
        assert result is not None
        assert result.status == "completed"
        assert result.results["a"] == "removed"

    def test_a_write_that_fails_leaves_the_file_before(self, tmp_path: Path) -> None:
        """Whole, and without a half-written one beside it."""
        path = tmp_path / "state.json"
        snapshots.write(path, "before")
        with pytest.raises(UnicodeEncodeError):
            snapshots.write(path, "é")
        assert path.read_text() == "before"
        assert os.listdir(tmp_path) == ["state.json"]

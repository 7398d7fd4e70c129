"""Install and uninstall: what would change, and the change."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fleetspan_collector._errors import CollectorError
from fleetspan_collector.claude_settings import files
from fleetspan_collector.claude_settings.edit import (
    Added,
    Conflict,
    hindrances,
    put_in,
    read,
    same_effect,
    take_out,
)
from fleetspan_collector.claude_settings.wanted import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A change of a settings file that has not been made yet.

    Attributes:
        path: The file.
        before: Its content now; ``None`` when there is no file.
        after: Its content then; ``None``: no file.
        record: What to keep for undoing it; ``None``: nothing, it is undone.
        conflicts: What stands in the way and stays.
    """

    path: Path
    before: bytes | None
    after: bytes | None
    record: files.Record | None
    conflicts: Sequence[Conflict] = ()

    @property
    def changes(self) -> bool:
        """Whether the file will be different."""
        return self.before != self.after

    def diff(self) -> str:
        """Return the difference as a unified diff; empty when there is none."""
        texts = [files.decode(each, self.path)[1] for each in (self.before, self.after)]
        old, new = (text.splitlines(keepends=True) for text in texts)
        names = [
            "/dev/null" if each is None else str(self.path)
            for each in (self.before, self.after)
        ]
        lines = difflib.unified_diff(old, new, names[0], names[1])
        return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)

    def hindrances(self) -> list[str]:
        """Say what else in the file keeps hooks from running, or doubles them."""
        return hindrances(files.decode(self.after, self.path)[1])

    def carry_out(self) -> None:
        """Make the change, and keep, or forget, the record.

        Raises:
            CollectorError: When somebody has changed the file since it was planned.
        """
        if files.read_bytes(self.path) != self.before:
            raise CollectorError(
                f"{self.path} has just been changed by somebody else",
                because="its content is not what the difference was made from",
                suggestion="the same command again",
            )
        if self.record is not None:
            # First, so that an end between the two leaves something that can be undone.
            files.write_record(self.path, self.record)
        if self.after is None:
            files.remove_file(self.path)
        elif self.changes:
            files.write_bytes(self.path, self.after)
        if self.record is None:
            files.remove_record(self.path)


def plan_install(path: Path, wanted: Wanted, *, force: bool = False) -> Plan:
    """Plan to put what is wanted into a settings file.

    An earlier installation is taken out first, so that the result is the same as of one.

    Args:
        path: The settings file; it need not be there.
        wanted: What is to be in it.
        force: Replace variables and a status line that are set to something else.

    Raises:
        UsageError: When the file is not the JSON of settings.
    """
    before = files.read_bytes(path)
    mark, text = files.decode(before, path)
    read(text)
    original = _undone(path, before)
    _, base = files.decode(original, path)
    new, added, conflicts = put_in(base, wanted, force=force)
    after = (mark + new).encode()
    old_record = files.read_record(path)
    if before is not None and same_effect(text, new):
        # The same, perhaps in another order: nothing to do.
        after = before
        if old_record is not None or original == before:
            return Plan(
                path=path,
                before=before,
                after=after,
                record=old_record,
                conflicts=conflicts,
            )
    record = files.Record(
        original=original, installed_sha256=files.sha256(after), added=added
    )
    return Plan(
        path=path, before=before, after=after, record=record, conflicts=conflicts
    )


def plan_uninstall(path: Path) -> Plan:
    """Plan to undo an installation.

    The file becomes, byte for byte, what it was when nobody has changed it since; else
    exactly what was put in goes.

    Raises:
        UsageError: When the file is not the JSON of settings.
    """
    before = files.read_bytes(path)
    return Plan(path=path, before=before, after=_undone(path, before), record=None)


def remaining(plan: Plan, names: Sequence[str]) -> list[str]:
    """Return those of the variables that are still set after a plan."""
    _, text = files.decode(plan.after, plan.path)
    env = read(text).get("env", {})
    return [name for name in names if name in env]


def _undone(path: Path, current: bytes | None) -> bytes | None:
    """Return what the file is without us; ``None``: no file."""
    record = files.read_record(path)
    if current is None:
        return None
    if record is not None and files.sha256(current) == record.installed_sha256:
        return record.original
    mark, text = files.decode(current, path)
    added: Added | None = record.added if record is not None else None
    bare = take_out(text, added)
    if record is not None and record.original is None and not read(bare):
        return None
    # A file without us keeps its bytes.
    return (mark + bare).encode() if bare != text else current

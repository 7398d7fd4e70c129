"""Evidence as arrays: what resolving computes on, without one Python object per row."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Strings = NDArray[np.object_]
Mask = NDArray[np.bool_]


class Columns:
    """The columns of an Arrow table, converted to numpy once, when they are asked for.

    Args:
        table: Rows of evidence, one per thing.
    """

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.count: int = table.num_rows
        self._made: dict[str, NDArray[Any]] = {}

    def strings(self, name: str) -> Strings:
        """A String column; ``""`` stands for unknown."""
        if name not in self._made:
            column = self.table.column(name)
            if pa.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
            self._made[name] = np.asarray(
                column.to_numpy(zero_copy_only=False), dtype=object
            )
        return self._made[name]

    def part(self, first: int, end: int) -> Columns:
        """Consecutive rows; they share what is converted, so that a part costs nothing."""
        return _Part(self, first, end)

    @cached_property
    def of_session(self) -> Mask:
        """Rows whose group is a session of Claude Code rather than a trace."""
        group = self.strings("GroupKey")
        same: Mask = (group != "") & (group == self.strings("RunId"))
        return same

    def known(self, name: str) -> Mask:
        """Where a String column says something."""
        known: Mask = self.strings(name) != ""
        return known

    def ids(self, name: str) -> NDArray[np.uint64]:
        """A UInt64 column."""
        return self._numbers(name).astype(np.uint64, copy=False)

    def integers(self, name: str) -> NDArray[np.int64]:
        """A whole-number column without unknowns."""
        return self._numbers(name).astype(np.int64, copy=False)

    def floats(self, name: str) -> NDArray[np.float64]:
        """A number column; NaN stands for unknown."""
        return self._numbers(name).astype(np.float64, copy=False)

    def nanoseconds(self, name: str) -> NDArray[np.int64]:
        """A time column as Unix nanoseconds; `numpy.iinfo` minimum for unknown."""
        key = f"{name} ns"
        if key not in self._made:
            values = self.table.column(name).to_numpy(zero_copy_only=False)
            self._made[key] = values.astype("datetime64[ns]").astype(np.int64)
        return self._made[key]

    def _numbers(self, name: str) -> NDArray[Any]:
        if name not in self._made:
            self._made[name] = self.table.column(name).to_numpy(zero_copy_only=False)
        return self._made[name]


class _Part(Columns):
    """Some rows of other columns."""

    def __init__(self, whole: Columns, first: int, end: int) -> None:
        self._whole = whole
        self._rows = slice(first, end)
        self.count = end - first

    @cached_property
    def table(self) -> pa.Table:
        """The rows as a table."""
        return self._whole.table.slice(self._rows.start, self.count)

    def strings(self, name: str) -> Strings:
        """A String column; ``""`` stands for unknown."""
        return self._whole.strings(name)[self._rows]

    def nanoseconds(self, name: str) -> NDArray[np.int64]:
        """A time column as Unix nanoseconds; `numpy.iinfo` minimum for unknown."""
        return self._whole.nanoseconds(name)[self._rows]

    def _numbers(self, name: str) -> NDArray[Any]:
        return self._whole._numbers(name)[self._rows]


def codes(*columns: Strings) -> tuple[NDArray[np.int64], int]:
    """Number the distinct rows of some string columns.

    Returns:
        For each row a number from 0, and how many distinct rows there are.
    """
    numbers = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        encoded = pa.array(column, type=pa.string()).dictionary_encode()
        size = max(len(encoded.dictionary), 1)
        mixed = numbers * size + encoded.indices.to_numpy(zero_copy_only=False)
        _, numbers = np.unique(mixed, return_inverse=True)
    return numbers, int(numbers.max()) + 1 if len(numbers) else 0

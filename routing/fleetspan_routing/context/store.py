"""Keeps what was cut or evicted, and gives it back exactly, by what it is.

A reference is the beginning of the text's hash, so that the same text has the same one in
every process, and keeping it twice takes no more room. Two texts that begin alike are told
apart by a longer reference.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from fleetspan_routing.context.errors import ContextError

SHORTEST: Final = 8
"""Hexadecimal digits of a reference, unless two texts share them."""

_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
_REF: Final = re.compile(r"[0-9a-f]{8,64}")


class Store(Protocol):
    """Where removed texts are."""

    def put(self, text: str) -> str:
        """Keep a text and return its reference."""

    def get(self, ref: str) -> str:
        """Return the text of a reference, exactly.

        Raises:
            ContextError: When it is not here.
        """

    def __contains__(self, ref: str) -> bool:
        """Whether there is a text of this reference."""


@dataclass(slots=True)
class MemoryStore:
    """Texts in this process, for as long as it lives."""

    _texts: dict[str, str] = field(default_factory=dict)

    def put(self, text: str) -> str:
        """Keep a text and return its reference."""
        for ref in _refs(text):
            if self._texts.setdefault(ref, text) == text:
                return ref
        raise _full(text)

    def get(self, ref: str) -> str:
        """Return the text of a reference, exactly."""
        if ref not in self._texts:
            raise _absent(ref, f"{len(self._texts)} others are kept in this process")
        return self._texts[ref]

    def __contains__(self, ref: str) -> bool:
        return ref in self._texts


@dataclass(frozen=True, slots=True)
class DiskStore:
    """Texts in a folder, one file for each, that other processes share.

    Attributes:
        folder: Made when the first text is kept.
    """

    folder: Path

    def put(self, text: str) -> str:
        """Keep a text and return its reference.

        Raises:
            OSError: When the folder cannot be written.
        """
        for ref in _refs(text):
            path = self._path(ref)
            if not path.exists():
                self._write(path, _bytes(text))
                return ref
            if path.read_bytes() == _bytes(text):
                return ref
        raise _full(text)

    def get(self, ref: str) -> str:
        """Return the text of a reference, exactly.

        Raises:
            ContextError: When it is not here, or the file is not what was written.
            OSError: When the file cannot be read.
        """
        if ref not in self:
            raise _absent(ref, f"there is no such file in {self.folder}")
        held = self._path(ref).read_bytes()
        if not hashlib.sha256(held).hexdigest().startswith(ref):
            raise ContextError(
                f"ref:{ref} cannot be recalled",
                "its file was changed since it was written",
                "restore the file, or run the tool again",
            )
        return held.decode("utf-8", "surrogatepass")

    def __contains__(self, ref: str) -> bool:
        # A reference comes from a model; it must not name a file elsewhere.
        return bool(_REF.fullmatch(ref)) and self._path(ref).exists()

    def _path(self, ref: str) -> Path:
        return self.folder / ref[:2] / ref

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        """Write all of a file or none of it, so that readers never see a part."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise


def reference(text: str) -> str:
    """Return the reference that a text has, unless it has to share it."""
    return _refs(text)[0]


def lines_of(text: str) -> list[str]:
    r"""Return lines with their ends; only ``\n`` ends one, as for editors and compilers."""
    return _LINE.findall(text)


def part(text: str, first: int, last: int) -> str:
    """Return some lines of a recalled text, numbered from 1, both ends included.

    Raises:
        ContextError: When there are no such lines.
    """
    lines = lines_of(text)
    if not 1 <= first <= last or first > len(lines):
        raise ContextError(
            f"lines {first} to {last} cannot be recalled",
            f"the text has lines 1 to {len(lines)}",
            "lines within that, the smaller number first",
        )
    return "".join(lines[first - 1 : last])


def _bytes(text: str) -> bytes:
    # Tools write anything; half of a surrogate pair must come back, too.
    return text.encode("utf-8", "surrogatepass")


def _refs(text: str) -> list[str]:
    digest = hashlib.sha256(_bytes(text)).hexdigest()
    return [digest[:length] for length in range(SHORTEST, len(digest) + 1, 8)]


def _absent(ref: str, because: str) -> ContextError:
    return ContextError(
        f"ref:{ref} is not kept here",
        because,
        "the reference as the pointer has it, and the store that the run wrote to",
    )


def _full(text: str) -> ContextError:
    return ContextError(
        "a text cannot be kept",
        f"another one has the same hash as these {len(text)} characters",
        "a store of its own for this run",
    )

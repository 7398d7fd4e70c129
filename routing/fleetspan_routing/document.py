"""What users write in YAML: read, and checked value by value.

Every function takes where it is in the document, for the message, and returns the value
as the type that is wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

_MOST_BYTES: Final = 1 << 20


class DocumentError(ValueError):
    """A document cannot be used.

    Attributes:
        where: The key, from the top of the document.
        because: What is wrong with it.
    """

    def __init__(self, where: str, because: str) -> None:
        self.where = where
        self.because = because
        super().__init__(f"{where}: {because}")


def read_yaml(path: Path) -> object:
    """Read a YAML file.

    Raises:
        DocumentError: When it is not one.
        OSError: When it cannot be read.
    """
    # Here, because deciding needs no YAML.
    import yaml

    if path.stat().st_size > _MOST_BYTES:
        raise DocumentError(str(path), f"it is larger than {_MOST_BYTES} bytes")

    class Loader(yaml.SafeLoader):
        """Reads no key twice: the first value would be gone without a word."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key, _ in node.value:
                name = self.construct_object(key, deep=True)
                if name in seen:
                    raise DocumentError(str(path), f"{name!r} is there twice")
                seen.add(name)
            return super().construct_mapping(node, deep)

    try:
        # A safe loader all the same: it is one by inheritance.
        return yaml.load(path.read_text("utf-8"), Loader)  # noqa: S506
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DocumentError(str(path), f"it is not YAML: {error}") from None


def mapping(where: str, value: object) -> Mapping[str, Any]:
    """Return names with values.

    Raises:
        DocumentError: When it is something else.
    """
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise DocumentError(where, "expected names with values")
    return value


def only(where: str, given: Mapping[str, Any], known: frozenset[str]) -> None:
    """See that no other keys are there: one that nothing reads would be a surprise.

    Raises:
        DocumentError: Naming the first one.
    """
    for key in given:
        if key not in known:
            raise DocumentError(
                where, f"{key!r} is not known; {', '.join(sorted(known))} are"
            )


def texts(where: str, value: object) -> tuple[str, ...]:
    """Return a list of at least one text.

    Raises:
        DocumentError: When it is something else.
    """
    if not isinstance(value, list) or not value:
        raise DocumentError(where, "expected a list of at least one name")
    return tuple(text(where, each) for each in value)


def text(where: str, value: object) -> str:
    """Return a text that is not empty, without the space around it.

    Raises:
        DocumentError: When it is something else.
    """
    if not isinstance(value, str) or not value.strip():
        raise DocumentError(where, f"{value!r} is not a name")
    return value.strip()


def one_of(where: str, value: object, known: AbstractSet[str]) -> str:
    """Return a text that is one of some.

    Raises:
        DocumentError: When it is something else.
    """
    found = text(where, value)
    if found not in known:
        expected = ", ".join(sorted(known))
        raise DocumentError(where, f"{found!r} is not one of {expected}")
    return found


def yes_or_no(where: str, value: object) -> bool:
    """Return whether it says yes (``true`` or ``false`` in YAML).

    Raises:
        DocumentError: When it says neither.
    """
    if not isinstance(value, bool):
        raise DocumentError(where, f"{value!r} is neither true nor false")
    return value


def number(where: str, value: object, most: float = float("inf")) -> float:
    """Return a number above 0 and at most some other.

    Raises:
        DocumentError: When it is something else.
    """
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    if not fits or not 0 < float(value) <= most:  # type: ignore[arg-type]
        raise DocumentError(
            where, f"{value!r} is not a number above 0, at most {most:g}"
        )
    return float(value)  # type: ignore[arg-type]

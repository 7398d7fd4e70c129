"""What is known of one shape of secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Check = Literal["", "value", "assigned", "random", "long_random", "pairs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One shape of one kind of secret.

    Attributes:
        name: The kind, as a marker and a counter name it; several shapes may share it.
        pattern: A regular expression over bytes, in lower case where ``ignore_case``; the
            group that took part is the secret.
        literals: Any of these is in every text with a match (lower-case where
            ``ignore_case``).
        hint: A short expression of which every match holds a match; it decides whether
            anything is looked at closely, so it must be rare in clean traffic. Empty:
            the literals.
        gate: An expression that is quick to look for and that every match holds; empty:
            the literals are enough.
        ignore_case: Whether upper and lower case are alike.
        check: What the group must be besides: ``value`` no placeholder, ``random`` a
            digit or a sign in it, ``assigned`` the former in quotes and the latter
            without, ``long_random`` letters and digits, ``pairs`` NAME=VALUE.
        begins_with_hint: Whether a match begins where the hint does, so that it need be
            looked for nowhere else.
    """

    name: str
    pattern: str
    literals: tuple[str, ...]
    hint: str = ""
    gate: str = ""
    ignore_case: bool = False
    check: Check = ""
    begins_with_hint: bool = False

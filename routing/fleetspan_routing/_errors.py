"""Errors in three parts: what failed, because of what, and what to try.

::

    ValueError
    └── RefusedError            error, because, suggestion
        ├── LogError            logged decisions that cannot be read as such
        ├── SupportError        a policy picks what was never tried
        └── VerifierError       a verifier that cannot be used as it is given
"""

from __future__ import annotations

from collections.abc import Mapping


class RefusedError(ValueError):
    """Something asked of the router cannot be answered.

    Attributes:
        error: What failed.
        because: Why, with the offending value.
        suggestion: What to do about it.
    """

    def __init__(self, error: str, *, because: str, suggestion: str) -> None:
        self.error = error
        self.because = because
        self.suggestion = suggestion
        super().__init__(f"{error}, because {because}; try: {suggestion}")


class LogError(RefusedError):
    """Logged decisions cannot be used as such."""


class SupportError(RefusedError):
    """What a policy would have done cannot be told from what was done.

    Attributes:
        shares: By model, the share of tasks at which the policy picks it though it had no
            chance there; empty when it is not known which.
    """

    def __init__(
        self, error: str, *, because: str, suggestion: str, shares: Mapping[str, float]
    ) -> None:
        self.shares = dict(shares)
        super().__init__(error, because=because, suggestion=suggestion)


class VerifierError(RefusedError):
    """A verifier cannot be used as it is given."""

"""Why a request is answered with an error.

::

    Exception
    ├── Undecodable   the bytes are not the message they should be: 400, INVALID_ARGUMENT
    ├── TooLarge      over a limit, and would be again: 413, RESOURCE_EXHAUSTED
    ├── Unprotected   a fault of ours while redacting: nothing is kept; 503, UNAVAILABLE
    └── Refused       not now; the client may send the same bytes again: 503, UNAVAILABLE
                      (in the collector's `_errors`)
"""

from __future__ import annotations


class Undecodable(Exception):  # noqa: N818 - an answer to a client, not a failure of ours
    """A request cannot be decoded; sending it again would not help.

    Attributes:
        field: The path of the offending value, ``""`` when only the whole is known.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        self.field = field
        super().__init__(f"{field}: {message}" if field else message)


class TooLarge(Exception):  # noqa: N818 - an answer to a client, not a failure of ours
    """A request is over a limit; sending it again would not help.

    Attributes:
        reason: A bounded label for the metrics: ``request_bytes`` or ``parsed_bytes``.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class Unprotected(Exception):  # noqa: N818 - as its siblings
    """It could not be told what of a request may be kept, so that nothing is.

    It says where that happened and nothing of the request.
    """

    def __init__(self, error: Exception) -> None:
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = (
            f"{place.tb_frame.f_code.co_qualname}:{place.tb_lineno}" if place else ""
        )
        super().__init__(f"{type(error).__name__} in {where}")

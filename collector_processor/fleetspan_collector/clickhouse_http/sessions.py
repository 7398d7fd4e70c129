"""Sessions of clients: what ``SET`` and ``USE`` have set, for a while."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Final

_MOST: Final = 1000
_LASTS_S: Final = 3600.0


@dataclass(slots=True)
class Session:
    """What a session has set.

    Attributes:
        settings: By name.
        database: Where names without one are looked for; ``""`` for the default.
    """

    settings: dict[str, str] = field(default_factory=dict)
    database: str = ""
    used_s: float = 0.0


class Sessions:
    """Sessions by whose they are and their id; the one unused longest goes first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[tuple[str, str], Session] = {}

    def of(self, key_id: str, session_id: str) -> Session:
        """Return a session, a new one unless it is there; one for ``""`` is not kept."""
        if not session_id:
            return Session()
        now_s = time.monotonic()
        with self._lock:
            session = self._sessions.pop((key_id, session_id), None)
            if session is None or session.used_s < now_s - _LASTS_S:
                session = Session()
            session.used_s = now_s
            self._sessions[key_id, session_id] = session
            while len(self._sessions) > _MOST:
                del self._sessions[next(iter(self._sessions))]
            return session

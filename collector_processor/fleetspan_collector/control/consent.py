"""What people have said at run time: approvals given, and limits of budgets raised.

Kept in one file of the data directory, replaced as a whole. No agent gives consent to
itself: only who holds the owner's pass or an admin key gets here, the commands refuse to
run below a client's session, and the decider stops calls that name them. An agent with
the same user's unguarded shell could still read the pass; whoever fears that lets agents
run as another user.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from fleetspan_collector._errors import CollectorError, UsageError
from fleetspan_routing.control.rules import Measure

_FILE: Final = "consent.json"
_MOST_WAITING: Final = 1_000
_MOST_OF_A_SESSION: Final = 50
_KEPT_S: Final = 7 * 86_400.0
_PENDING, _GRANTED, _DENIED, _USED = "pending", "granted", "denied", "used"


@dataclass(slots=True, kw_only=True)
class Approval:
    """Something that a person is to approve.

    Attributes:
        approval_id: Names it.
        tenant: Whose session it is.
        fingerprint: Of exactly this call by this agent.
        state: ``pending``, ``granted``, ``denied`` or ``used``.
        asked_at: Unix seconds.
        what: Session, agent, tool, command or paths, and why consent is needed.
        by: Who gave or refused it.
    """

    approval_id: str
    tenant: str
    fingerprint: str
    state: str = _PENDING
    asked_at: float = 0.0
    what: Mapping[str, str] = field(default_factory=dict)
    by: str = ""


class Consent:
    """Approvals and raised limits of a data directory.

    Every method may be called from any thread.

    Args:
        data: The directory.

    Raises:
        CollectorError: When what is there cannot be read.
    """

    def __init__(self, data: Path) -> None:
        self._path = data / _FILE
        self._lock = threading.Lock()
        self._approvals: dict[str, Approval] = {}
        self.raised: dict[tuple[str, str], dict[Measure, float]] = {}
        try:
            self._read(json.loads(self._path.read_text("utf-8")))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            # Going on without would forget what was refused, and what was raised.
            raise CollectorError(
                "approvals and limits cannot be read",
                because=f"{self._path}: {error}",
                suggestion=f"mv {self._path} {self._path}.broken",
            ) from error

    def is_granted(self, tenant: str, fingerprint: str) -> bool:
        """Whether exactly this was approved; it is used up by that."""
        with self._lock:
            found = self._find(tenant, fingerprint)
            if found is None or found.state != _GRANTED:
                return False
            found.state = _USED
            self._write()
            return True

    def request(self, tenant: str, fingerprint: str, what: Mapping[str, str]) -> str:
        """Note that consent is wanted; asked again, it is the same one."""
        with self._lock:
            found = self._find(tenant, fingerprint)
            if found is not None and found.state in (_PENDING, _DENIED):
                return found.approval_id
            self._make_room(what.get("session_id", ""))
            made = Approval(
                approval_id=secrets.token_hex(4),
                tenant=tenant,
                fingerprint=fingerprint,
                asked_at=time.time(),
                what={key: value[:2000] for key, value in what.items()},
            )
            self._approvals[made.approval_id] = made
            # A store that fails holds up no answer: it is no, until there is consent.
            with contextlib.suppress(OSError):
                self._write()
            return made.approval_id

    def settle(
        self, approval_id: str, *, grant: bool, by: str, tenant: str | None
    ) -> Approval:
        """Give consent, or refuse it.

        Args:
            approval_id: Which.
            grant: Yes or no.
            by: Who says so.
            tenant: Whose alone; ``None``: anybody's.

        Raises:
            UsageError: When there is no such one that waits.
        """
        with self._lock:
            found = self._approvals.get(approval_id)
            if found is None or tenant not in (None, found.tenant):
                raise UsageError(
                    f"there is no approval {approval_id[:40]}",
                    because="nothing that waits has this id",
                    suggestion="fleetspan approvals ls",
                )
            if found.state not in (_PENDING, _DENIED, _GRANTED):
                raise UsageError(
                    f"approval {approval_id} is {found.state}",
                    because="it was for one time; asked again, it has another id",
                    suggestion="fleetspan approvals ls",
                )
            found.state, found.by = (_GRANTED if grant else _DENIED), by
            self._write()
            return found

    def set_limit(self, budget: str, of: str, measure: Measure, limit: float) -> None:
        """Set a limit of one that has a budget, in place of the rules'."""
        with self._lock:
            limits = {**self.raised.get((budget, of), {}), measure: limit}
            # Another mapping, since whoever decides reads it without the lock.
            self.raised = {**self.raised, (budget, of): limits}
            self._write()

    def listed(self, tenant: str | None) -> list[Approval]:
        """Return the approvals, what waits first, then the latest."""
        with self._lock:
            some = [a for a in self._approvals.values() if tenant in (None, a.tenant)]
        return sorted(some, key=lambda each: (each.state != _PENDING, -each.asked_at))

    def _find(self, tenant: str, fingerprint: str) -> Approval | None:
        alike = [
            each
            for each in self._approvals.values()
            if (each.tenant, each.fingerprint) == (tenant, fingerprint)
            and each.state != _USED
        ]
        return alike[-1] if alike else None

    def _make_room(self, session_id: str) -> None:
        """Forget the oldest: no agent may fill the list, or push out others' requests."""
        long_ago = time.time() - _KEPT_S
        for each in list(self._approvals.values()):
            if each.asked_at < long_ago:
                del self._approvals[each.approval_id]
        own = [
            each.approval_id
            for each in self._approvals.values()
            if each.what.get("session_id") == session_id
        ]
        for approval_id in own[: max(0, len(own) - _MOST_OF_A_SESSION + 1)]:
            del self._approvals[approval_id]
        while len(self._approvals) >= _MOST_WAITING:
            del self._approvals[next(iter(self._approvals))]

    def _read(self, document: Any) -> None:
        for each in document["approvals"]:
            approval = Approval(**each)
            self._approvals[approval.approval_id] = approval
        for budget, of, measure, limit in document["limits"]:
            limits = self.raised.setdefault((budget, of), {})
            limits[Measure(measure)] = float(limit)

    def _write(self) -> None:
        document = {
            "approvals": [asdict(each) for each in self._approvals.values()],
            "limits": [
                [budget, of, str(measure), limit]
                for (budget, of), limits in self.raised.items()
                for measure, limit in limits.items()
            ],
        }
        draft = self._path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)

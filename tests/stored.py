"""Charges, approvals and votes for tests, made short."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from outgate.approvals.approval import Approval, Panel, Vote
from outgate.policy.decision import Match
from outgate.policy.effect import Effect, Mode
from outgate.policy.limits import Charge, Hold, Limit, Window

if TYPE_CHECKING:
    from outgate.ports import Ledger

NOW = datetime(2026, 1, 31, 8, 0, 0, 123456, tzinfo=UTC)
PER_MINUTE = Limit(amount=60, unit="count", window=Window.MINUTE, burst=3)
PER_DAY = Limit(amount=5, unit="count", window=Window.DAY)
TOKENS = Limit(amount=1000, unit="tokens", window=Window.HOUR)


def charge(limit: Limit = PER_DAY, amount: int = 1, *, key: str = "a-rule coder", hold: Hold = Hold.BINDING) -> Charge:
    match = Match(rule="a-rule", effect=Effect.THROTTLE, mode=Mode.ENFORCE)
    return Charge(key=key, limit=limit, amount=amount, hold=hold, match=match)


async def fits(ledger: Ledger, made: Charge, now: datetime = NOW) -> bool:
    """Take it, and say whether it was taken."""
    return bool((await ledger.reserve((made,), now)).taken)


def approval(name: str = "aaaa-bbbb-cccc", **changed: Any) -> Approval:
    panel = Panel(name="ops", need=1, of=("group:ops",), within=timedelta(hours=24), rules=("a-rule",))
    given = {
        "id": name,
        "request": "sha256:00",
        "agent": "coder",
        "panels": (panel,),
        "statement": b'{"nonce":"00"}',
        "asked": NOW,
        "expires": NOW + timedelta(hours=24),
    }
    return Approval(**given | changed)


def vote(person: str = "alice", **changed: Any) -> Vote:
    given = {"person": person, "key": "SHA256:" + person, "signature": "-----BEGIN SSH SIGNATURE-----", "at": NOW}
    return Vote(**given | changed)

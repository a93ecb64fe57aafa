"""Unreadable: what a request is that its protocol can't be read from."""

from __future__ import annotations

from outgate.actions.action import Access, Action, Confidence, Tier


def unreadable(service: str, resource: str, why: str) -> Action:
    """Give the action: never a read, and mapped by nothing."""
    return Action(
        service=service,
        operation="unreadable",
        resource=resource,
        access=Access.UNKNOWN,
        tier=Tier.T2,
        confidence=Confidence.UNKNOWN,
        why=why,
        evidence=(f"services/{service}",),
    )

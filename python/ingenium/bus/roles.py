"""The roles that have a user on a server with accounts, and how their users are called."""

from __future__ import annotations

__all__ = ["COMPONENT_ROLES", "OPERATOR", "READER", "ROLES", "inbox_of", "login_of", "owner_of"]

OPERATOR = "operator"
"""The role of people who halt and resume, and of the program that starts an app."""
READER = "reader"
"""The role of whoever only looks on."""
COMPONENT_ROLES = ("ingestor", "strategy", "portfolio", "executor")
"""The roles that components have."""
ROLES = (*COMPONENT_ROLES, OPERATOR, READER)


def login_of(role: str, component: str = "") -> str:
    """Return what a user is called: ``"strategy"``, or ``"strategy.rsi"`` for one component."""
    return f"{role}.{component}" if component else role


def owner_of(user: str) -> tuple[str, str]:
    """Return the role and the component of a user on a server, such as ``"paper-strategy.rsi"``.

    Returns:
        Both empty for a user that is not of an app's accounts; no component for that of a role.
    """
    login, _, component = user.partition(".")
    role = login.rpartition("-")[2]
    return (role, component) if role in ROLES else ("", "")


def inbox_of(role: str, component: str = "") -> str:
    """Return what the subjects begin with on which a user gets its answers.

    Those of a component are not below those of its role, so that each can be denied to the other.
    """
    return f"_INBOX.{role}-{component}" if component else f"_INBOX.{role}"

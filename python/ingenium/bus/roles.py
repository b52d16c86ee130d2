"""Roles with a user on a server with accounts, and the names of their users."""

from __future__ import annotations

__all__ = [
    "COMPONENT_ROLES",
    "OPERATOR",
    "READER",
    "RECORDER",
    "ROLES",
    "inbox_of",
    "login_of",
    "owner_of",
]

OPERATOR = "operator"
"""Role of operators and of the program that starts an app."""
READER = "reader"
"""Role of read-only observers."""
RECORDER = "recorder"
"""Role of the recorder, and its name as a service."""
COMPONENT_ROLES = ("ingestor", "strategy", "portfolio", "executor")
"""Roles of components."""
ROLES = (*COMPONENT_ROLES, OPERATOR, READER, RECORDER)


def login_of(role: str, component: str = "") -> str:
    """Return the name of a user: ``"strategy"``, or ``"strategy.rsi"`` for one component."""
    return f"{role}.{component}" if component else role


def owner_of(user: str) -> tuple[str, str]:
    """Return role and component of a user name such as ``"paper-strategy.rsi"``.

    Returns:
        Both empty for a user of no app; an empty component for the user of a role.
    """
    login, _, component = user.partition(".")
    role = login.rpartition("-")[2]
    return (role, component) if role in ROLES else ("", "")


def inbox_of(role: str, component: str = "") -> str:
    """Return the prefix of the reply subjects of a user.

    The prefix of a component is not below that of its role, so that each can be denied to the
    other.
    """
    return f"_INBOX.{role}-{component}" if component else f"_INBOX.{role}"

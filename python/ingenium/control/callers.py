"""Who calls: one-time tokens, a password, sessions of browsers, and bearer tokens of programs."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from time import time

from ingenium.control.session_store import SessionStore

__all__ = ["CALLER", "AccessRole", "Caller", "CallerRegistry"]

LOGIN_SECONDS = 10 * 60.0
"""A one-time token is good for this long."""

_TOKEN_BYTES = 32
_FAILURES_A_MINUTE = 5


class AccessRole(IntEnum):
    """What a caller may do; each role includes those before it."""

    NONE = 0
    READ = 1
    OPERATE = 2
    TRADE = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sends a request.

    Attributes:
        user: Name for the audit log.
        role: What it may do.
        session: Key of its session; empty for a bearer token.
        address: Address of its machine.
    """

    user: str
    role: AccessRole
    session: str = ""
    address: str = ""


CALLER: ContextVar[Caller | None] = ContextVar("ingenium_control_caller", default=None)
"""Caller of the current request; ``None`` without valid credentials."""


class CallerRegistry:
    """Knows all credentials; tokens end with the server, and sessions may outlive it.

    Args:
        user: Name of the person that started the server: ``"ann@trader-1"``.
        role: The most that a caller may do.
        clock: Returns seconds since 1970.
        path: File that keeps sessions over a restart; they end with the server when ``None``.
        password: Opens sessions as well as a token; none when empty.
    """

    def __init__(
        self,
        user: str,
        role: AccessRole = AccessRole.TRADE,
        clock: Callable[[], float] = time,
        path: Path | None = None,
        password: str = "",
    ) -> None:
        self.user = user
        self.role = role
        self._clock = clock
        self._password = password
        self._logins: dict[str, tuple[AccessRole, float]] = {}
        self._sessions = SessionStore(path, clock)
        self._failures: dict[str, deque[float]] = {
            kind: deque(maxlen=_FAILURES_A_MINUTE) for kind in ("token", "password")
        }
        self.bearers: Mapping[AccessRole, str] = {
            each: secrets.token_urlsafe(_TOKEN_BYTES) for each in AccessRole if 0 < each <= role
        }

    @property
    def has_password(self) -> bool:
        """Whether a password opens sessions."""
        return bool(self._password)

    def make_login(self, role: AccessRole) -> str:
        """Return a token that opens one session."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._logins[token] = role, self._clock() + LOGIN_SECONDS
        return token

    def is_blocked(self, kind: str) -> bool:
        """Return whether too many attempts to log in have failed within a minute.

        Args:
            kind: ``"token"`` or ``"password"``: the one must not block the other.
        """
        failures = self._failures[kind]
        return len(failures) == _FAILURES_A_MINUTE and self._clock() - failures[0] < 60

    def log_in(self, token: str) -> str:
        """Open a session by a token, however many other attempts have failed.

        A page of another site can make attempts fail, and must not keep anybody out; a token
        cannot be guessed.

        Args:
            token: Result of `make_login`; it works once.

        Returns:
            The secret of the session; empty if the token is not valid.
        """
        found = next((each for each in self._logins if _is_same(each, token)), None)
        role, end = (AccessRole.NONE, 0.0) if found is None else self._logins.pop(found)
        if self._clock() > end:
            self._note_failure("token")
            return ""
        return self._sessions.open(self.user, role)

    def log_in_by_password(self, password: str) -> str:
        """Open a session by the password; see `log_in`. It is not tried while `is_blocked`."""
        is_blocked = not self._password or self.is_blocked("password")
        if is_blocked or not _is_same(self._password, password):
            self._note_failure("password")
            return ""
        return self._sessions.open(self.user, self.role)

    def _note_failure(self, kind: str) -> None:
        # Those while it is blocked do not make that last longer.
        if not self.is_blocked(kind):
            self._failures[kind].append(self._clock())

    def by_session(self, secret: str, address: str = "") -> Caller | None:
        """Return the caller of a session, and note its use; ``None`` if it has ended."""
        key, session = self._sessions.find(secret)
        if session is None:
            return None
        # The server may have been started again with less.
        role = AccessRole(min(session.role, self.role))
        return Caller(session.user, role, key, address)

    def by_bearer(self, token: str, address: str = "") -> Caller | None:
        """Return the caller of a bearer token; ``None`` if it is not valid."""
        for role, known in self.bearers.items():
            if _is_same(known, token):
                return Caller(f"{self.user} ({role.name.lower()} token)", role, "", address)
        return None

    def is_open(self, caller: Caller) -> bool:
        """Return whether the session of a caller is still open, and note its use."""
        return not caller.session or self._sessions.use(caller.session) is not None

    def ends_of(self, caller: Caller) -> tuple[float, float] | None:
        """Return the seconds until its session ends when idle, and in any case."""
        return self._sessions.ends_of(caller.session)

    def log_out(self, caller: Caller) -> None:
        """End the session of a caller."""
        self._sessions.end(caller.session)

    def close(self) -> None:
        """Keep the sessions for the next start of the server."""
        self._sessions.save()


def _is_same(known: str, given: str) -> bool:
    return secrets.compare_digest(known.encode(), given.encode())

"""Who calls: one-time tokens, sessions of browsers, and bearer tokens of programs."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum
from time import monotonic

__all__ = ["CALLER", "AccessRole", "BrowserSession", "Caller", "CallerRegistry"]

IDLE_SECONDS = 60 * 60.0
"""A session without a request or an open stream ends after this."""
ABSOLUTE_SECONDS = 12 * 60 * 60.0
"""A session ends after this in any case."""
LOGIN_SECONDS = 10 * 60.0
"""A one-time token is good for this long."""

_TOKEN_BYTES = 32
_LOGINS_A_MINUTE = 5
_MOST_SESSIONS = 64


class AccessRole(IntEnum):
    """What a caller may do; each role includes those before it."""

    NONE = 0
    READ = 1
    OPERATE = 2
    TRADE = 3


@dataclass(slots=True)
class BrowserSession:
    """A session that a one-time token has opened.

    Attributes:
        role: What it may do.
        began: When it was opened, in seconds of the registry's clock.
        used: When it was last used.
    """

    role: AccessRole
    began: float
    used: float


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sends a request.

    Attributes:
        user: Name for the audit log.
        role: What it may do.
        session: Secret of its session; empty for a bearer token.
        address: Address of its machine.
    """

    user: str
    role: AccessRole
    session: str = ""
    address: str = ""


CALLER: ContextVar[Caller | None] = ContextVar("ingenium_control_caller", default=None)
"""Caller of the current request; ``None`` without valid credentials."""


class CallerRegistry:
    """Knows all credentials of one start of the server; they end with it.

    Args:
        user: Name of the person that started the server: ``"ann@trader-1"``.
        role: The most that a caller may do.
        clock: Returns seconds.
    """

    def __init__(
        self,
        user: str,
        role: AccessRole = AccessRole.TRADE,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.user = user
        self.role = role
        self._clock = clock
        self._logins: dict[str, tuple[AccessRole, float]] = {}
        self._sessions: dict[str, BrowserSession] = {}
        self._attempts: deque[float] = deque(maxlen=_LOGINS_A_MINUTE)
        self.bearers: Mapping[AccessRole, str] = {
            each: secrets.token_urlsafe(_TOKEN_BYTES) for each in AccessRole if 0 < each <= role
        }

    def make_login(self, role: AccessRole) -> str:
        """Return a token that opens one session."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._logins[token] = role, self._clock() + LOGIN_SECONDS
        return token

    def is_login_allowed(self) -> bool:
        """Count an attempt to log in, and return whether there were not too many in a minute."""
        now = self._clock()
        is_full = len(self._attempts) == _LOGINS_A_MINUTE and now - self._attempts[0] < 60
        if not is_full:
            self._attempts.append(now)
        return not is_full

    def log_in(self, token: str) -> str:
        """Open a session.

        Args:
            token: Result of `make_login`; it works once.

        Returns:
            The secret of the session; empty if the token is not valid.
        """
        found = next((each for each in self._logins if _is_same(each, token)), None)
        if found is None:
            return ""
        role, end = self._logins.pop(found)
        now = self._clock()
        if now > end:
            return ""
        self._expire(now)
        while len(self._sessions) >= _MOST_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key].used)]
        secret = secrets.token_urlsafe(_TOKEN_BYTES)
        self._sessions[secret] = BrowserSession(role, now, now)
        return secret

    def by_session(self, secret: str, address: str = "") -> Caller | None:
        """Return the caller of a session, and note its use; ``None`` if it has ended."""
        self._expire(self._clock())
        found = next((key for key in self._sessions if _is_same(key, secret)), None)
        if found is None:
            return None
        session = self._sessions[found]
        session.used = self._clock()
        return Caller(self.user, session.role, found, address)

    def by_bearer(self, token: str, address: str = "") -> Caller | None:
        """Return the caller of a bearer token; ``None`` if it is not valid."""
        for role, known in self.bearers.items():
            if _is_same(known, token):
                return Caller(f"{self.user} ({role.name.lower()} token)", role, "", address)
        return None

    def is_open(self, caller: Caller) -> bool:
        """Return whether the session of a caller is still open, and note its use."""
        return not caller.session or self.by_session(caller.session) is not None

    def ends_of(self, caller: Caller) -> tuple[float, float] | None:
        """Return the seconds until its session ends when idle, and in any case."""
        session = self._sessions.get(caller.session)
        if session is None:
            return None
        now = self._clock()
        return (
            min(IDLE_SECONDS, session.began + ABSOLUTE_SECONDS - now),
            session.began + ABSOLUTE_SECONDS - now,
        )

    def log_out(self, caller: Caller) -> None:
        """End the session of a caller."""
        self._sessions.pop(caller.session, None)

    def _expire(self, now: float) -> None:
        for key, session in list(self._sessions.items()):
            if now - session.used > IDLE_SECONDS or now - session.began > ABSOLUTE_SECONDS:
                del self._sessions[key]


def _is_same(known: str, given: str) -> bool:
    return secrets.compare_digest(known.encode(), given.encode())

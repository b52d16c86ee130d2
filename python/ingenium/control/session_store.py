"""Sessions of browsers: kept by the digest of their secret, also over a restart of the server."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe

from ingenium.private_files import replace_private

__all__ = ["BrowserSession", "SessionStore"]

IDLE_SECONDS = 60 * 60.0
"""A session without a request or an open stream ends after this."""
ABSOLUTE_SECONDS = 12 * 60 * 60.0
"""A session ends after this in any case."""

_log = logging.getLogger("ingenium.control")
_SECRET_BYTES = 32
_MOST = 64
_SAVE_SECONDS = 30.0


@dataclass(slots=True)
class BrowserSession:
    """A session that a one-time token or the password has opened.

    Attributes:
        user: Who has started the server that opened it.
        role: Number of the role; what it may do.
        began: When it was opened, in seconds since 1970.
        used: When it was last used.
    """

    user: str
    role: int
    began: float
    used: float


class SessionStore:
    """Opens, finds and ends sessions.

    Args:
        path: File that keeps them, for its owner only; none when ``None``.
        clock: Returns seconds since 1970.
    """

    def __init__(self, path: Path | None, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._saved = clock()
        self._sessions: dict[str, BrowserSession] = self._load()
        self._expire()

    def open(self, user: str, role: int) -> str:
        """Open a session, and return its secret."""
        self._expire()
        while len(self._sessions) >= _MOST:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key].used)]
        secret = token_urlsafe(_SECRET_BYTES)
        now = self._clock()
        self._sessions[_digest(secret)] = BrowserSession(user, role, now, now)
        self.save()
        return secret

    def find(self, secret: str) -> tuple[str, BrowserSession | None]:
        """Return the key of a session, and note its use; ``None`` if it has ended."""
        key = _digest(secret)
        return key, self.use(key)

    def use(self, key: str) -> BrowserSession | None:
        """Return a session by its key, and note its use; ``None`` if it has ended."""
        self._expire()
        found = self._sessions.get(key)
        if found is not None:
            found.used = self._clock()
            if found.used - self._saved > _SAVE_SECONDS:
                self.save()
        return found

    def ends_of(self, key: str) -> tuple[float, float] | None:
        """Return the seconds until a session ends when idle, and in any case."""
        found = self._sessions.get(key)
        if found is None:
            return None
        rest = found.began + ABSOLUTE_SECONDS - self._clock()
        return min(IDLE_SECONDS, rest), rest

    def end(self, key: str) -> None:
        """End a session."""
        if self._sessions.pop(key, None) is not None:
            self.save()

    def save(self) -> None:
        """Write the file; sessions end with the server where that fails."""
        self._saved = self._clock()
        if self._path is None:
            return
        rows = {key: asdict(each) for key, each in self._sessions.items()}
        try:
            replace_private(self._path, json.dumps(rows).encode())
        except OSError as error:
            _log.warning(
                "%s cannot be written, and sessions end with the server: %s", self._path, error
            )

    def _load(self) -> dict[str, BrowserSession]:
        if self._path is None:
            return {}
        with suppress(OSError, ValueError, TypeError, AttributeError):
            found = json.loads(self._path.read_text("utf-8"))
            return {key: BrowserSession(**row) for key, row in found.items()}
        return {}

    def _expire(self) -> None:
        now = self._clock()
        for key, each in list(self._sessions.items()):
            # A clock that was set back must not make a session last longer.
            age, idle = now - each.began, now - each.used
            if not (0 <= age <= ABSOLUTE_SECONDS and 0 <= idle <= IDLE_SECONDS):
                del self._sessions[key]


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()

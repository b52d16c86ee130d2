"""Credentials of the control plane: one-time tokens, ends of sessions, bearer tokens."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from ingenium.control.callers import LOGIN_SECONDS, AccessRole, CallerRegistry
from ingenium.control.session_store import ABSOLUTE_SECONDS, IDLE_SECONDS


class Watch:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_token_opens_one_session_within_its_time() -> None:
    clock = Watch()
    registry = CallerRegistry("ann", clock=clock)
    token = registry.make_login(AccessRole.OPERATE)
    assert registry.log_in("") == registry.log_in(token[:-1]) == ""
    secret = registry.log_in(token)
    caller = registry.by_session(secret)
    assert caller is not None
    assert (caller.user, caller.role) == ("ann", AccessRole.OPERATE)
    assert registry.log_in(token) == ""
    late = registry.make_login(AccessRole.READ)
    clock.now += LOGIN_SECONDS + 1
    assert registry.log_in(late) == ""


def test_session_ends_when_idle_and_in_any_case() -> None:
    clock = Watch()
    registry = CallerRegistry("ann", clock=clock)
    idle, used = (registry.log_in(registry.make_login(AccessRole.READ)) for _ in range(2))
    for _ in range(int(ABSOLUTE_SECONDS / IDLE_SECONDS * 2) - 1):
        clock.now += IDLE_SECONDS / 2
        caller = registry.by_session(used)
        assert caller is not None
    assert registry.by_session(idle) is None
    assert caller is not None
    assert registry.ends_of(caller) == (IDLE_SECONDS / 2, IDLE_SECONDS / 2)
    clock.now += IDLE_SECONDS / 2 + 1
    assert registry.by_session(used) is None
    assert not registry.is_open(caller)


def test_logged_out_session_is_closed_and_another_one_stays() -> None:
    registry = CallerRegistry("ann")
    first, second = (registry.log_in(registry.make_login(AccessRole.READ)) for _ in range(2))
    caller = registry.by_session(first)
    assert caller is not None
    registry.log_out(caller)
    assert registry.by_session(first) is None
    assert registry.by_session(second) is not None


def test_bearer_tokens_reach_up_to_the_role_of_the_server() -> None:
    registry = CallerRegistry("ann", AccessRole.OPERATE)
    assert list(registry.bearers) == [AccessRole.READ, AccessRole.OPERATE]
    caller = registry.by_bearer(registry.bearers[AccessRole.READ])
    assert caller is not None
    assert (caller.user, caller.role) == ("ann (read token)", AccessRole.READ)
    assert registry.by_bearer("") is None
    assert len({len(token) >= 43 for token in registry.bearers.values()}) == 1


def test_failed_attempts_block_a_password_and_never_a_token() -> None:
    clock = Watch()
    registry = CallerRegistry("ann", clock=clock, password="correct horse battery")
    token = registry.make_login(AccessRole.READ)
    for _ in range(7):
        assert registry.log_in("x") == ""
    # A page of another site can send these; it must keep nobody out.
    assert registry.is_blocked("token")
    assert not registry.is_blocked("password")
    assert registry.log_in(token)
    for _ in range(5):
        assert registry.log_in_by_password("battery staple") == ""
    assert registry.is_blocked("password")
    assert registry.log_in_by_password("correct horse battery") == ""
    clock.now += 60
    assert registry.log_in_by_password("correct horse battery")


def test_empty_password_opens_nothing_where_there_is_none() -> None:
    assert CallerRegistry("ann").log_in_by_password("") == ""


def test_session_outlives_the_server_without_its_secret_and_with_no_more_than_its_role(
    tmp_path: Path,
) -> None:
    clock = Watch()
    path = tmp_path / "own" / "sessions.json"
    first = CallerRegistry("ann", clock=clock, path=path)
    secret, other = (first.log_in(first.make_login(AccessRole.TRADE)) for _ in range(2))
    ended = first.by_session(other)
    assert ended is not None
    first.log_out(ended)
    first.close()
    kept = path.read_text()
    assert secret not in kept
    assert other not in kept
    assert len(json.loads(kept)) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    clock.now += IDLE_SECONDS - 1
    again = CallerRegistry("ann", AccessRole.OPERATE, clock, path)
    caller = again.by_session(secret)
    assert caller is not None
    assert caller.role is AccessRole.OPERATE
    assert again.by_session(other) is None
    clock.now += IDLE_SECONDS + 1
    assert CallerRegistry("ann", clock=clock, path=path).by_session(secret) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a": {"role": 3}}'])
def test_damaged_file_of_sessions_opens_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sessions.json"
    path.write_text(text)
    registry = CallerRegistry("ann", path=path)
    assert registry.by_session("a") is None
    assert registry.by_session(registry.log_in(registry.make_login(AccessRole.READ))) is not None

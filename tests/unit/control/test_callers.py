"""Credentials of the control plane: one-time tokens, ends of sessions, bearer tokens."""

from __future__ import annotations

from ingenium.control.callers import (
    ABSOLUTE_SECONDS,
    IDLE_SECONDS,
    LOGIN_SECONDS,
    AccessRole,
    CallerRegistry,
)


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


def test_sixth_login_within_a_minute_is_refused() -> None:
    clock = Watch()
    registry = CallerRegistry("ann", clock=clock)
    assert [registry.is_login_allowed() for _ in range(6)] == [True] * 5 + [False]
    clock.now += 60
    assert registry.is_login_allowed()

"""What is concluded from what a component says, from who sees it, and from the server."""

from __future__ import annotations

import os
import socket

import pytest

from ingenium._gen.ingenium.v1 import ComponentStatus
from ingenium.components import Strategy
from ingenium.deploy.local.lag_watch import LagWatch
from ingenium.operations.component_state import ComponentState, Liveness, add_view
from ingenium.operations.live_view import Heard, LiveView

HERE = socket.gethostname()
NOBODY = 2**22 + 1
"""No process has this number."""


def said(
    state: str = "ready", *, answered: bool = False, host: str = "far", process: int = 7
) -> Heard:
    status = ComponentStatus(
        app="a", component="c", role="strategy", state=state, host=host, process=process
    )
    return Heard(status, 0.0 if answered else 12.0, answered)


def seen(state: str, language: str = "", *, answered: bool = True) -> Heard:
    status = ComponentStatus(app="a", component="c", role="strategy", state=state, process=9)
    status.language = language
    return Heard(status, 0.0, answered)


@pytest.mark.parametrize(
    ("own", "program", "connected", "runs", "expected"),
    [
        (said(answered=True), None, True, True, ("alive", "")),
        (said("starting", answered=True), None, True, True, ("alive", "starting")),
        (said("stopped", answered=True), None, True, True, ("stopped", "stopped")),
        # It is connected, so it is there; why it does not answer nobody knows.
        (said(), None, True, True, ("silent", "does not answer, heard 12 s ago")),
        (None, None, True, True, ("silent", "connected, and does not answer")),
        (said(), seen("ended"), True, True, ("dead", "its process has ended")),
        (said(), None, False, True, ("dead", "not connected, heard 12 s ago")),
        (said(), None, False, False, ("dead", "not connected, heard 12 s ago")),
        (
            said(host=HERE, process=os.getpid()),
            None,
            False,
            True,
            ("silent", "not connected, heard 12 s ago; its process runs"),
        ),
        (
            said(host=HERE, process=NOBODY),
            None,
            False,
            True,
            ("dead", "not connected, heard 12 s ago"),
        ),
        (said("stopped"), None, False, False, ("stopped", "stopped 12 s ago")),
        (said("failed"), None, False, False, ("dead", "failed 12 s ago")),
        # Started again, and not yet back.
        (
            said(),
            seen("running"),
            False,
            True,
            ("silent", "its process 9 runs, and is not connected yet"),
        ),
        (
            None,
            seen("running", "python"),
            False,
            True,
            ("silent", "its process 9 runs, and is not connected yet"),
        ),
        (
            None,
            seen("running"),
            False,
            True,
            ("alive", "its process 9 runs; no status is published"),
        ),
        (
            None,
            seen("unknown"),
            False,
            True,
            ("unknown", "started externally, and publishes no status"),
        ),
        (None, None, False, True, ("unknown", "nothing is heard of it")),
        (None, None, False, False, ("not running", "")),
        # What was seen of it once says nothing of now.
        (None, seen("running", answered=False), False, False, ("not running", "")),
    ],
)
def test_liveness(
    own: Heard | None,
    program: Heard | None,
    connected: bool,
    runs: bool,
    expected: tuple[str, str],
) -> None:
    view = LiveView(
        runs=runs,
        said={} if own is None else {"c": own},
        observed={} if program is None else {"c": program},
        connected={"c"} if connected else set(),
    )
    state = ComponentState("c")
    add_view(state, view)
    assert (state.liveness.value, state.why) == expected


def test_component_that_the_app_has_no_longer_is_no_alarm() -> None:
    view = LiveView(runs=True, said={"old": said()}, observed={"new": seen("running")})
    state = ComponentState("old", lives=3)
    add_view(state, view)
    assert state.liveness is Liveness.NOT_RUNNING
    assert state.is_well


def test_lag_is_said_when_it_lasts_when_it_has_doubled_and_when_it_is_over() -> None:
    watch = LagWatch(Strategy(["A"], name="rsi"))
    looks = [None, 0.0, 1.9, 5.0, 0.5, 2.0, 3.0, 4.0, 5.9, 6.0, 11.0, 20.0, 2.5, 1.0, 0.0]
    texts = [watch.observe(each) for each in looks]
    said = {looks[i]: text.partition(":")[0] for i, text in enumerate(texts) if text}
    assert said == {
        3.0: "strategy 'rsi' is 3 s behind",
        6.0: "strategy 'rsi' is 6 s behind",
        20.0: "strategy 'rsi' is 20 s behind",
        1.0: "strategy 'rsi' has caught up",
    }

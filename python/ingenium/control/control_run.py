"""What is known of one backtest or sweep of the control plane."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["CANCELED", "DONE", "FAILED", "QUEUED", "RUNNING", "ControlRun"]

QUEUED, RUNNING, DONE, FAILED, CANCELED = "queued", "running", "done", "failed", "canceled"
"""States of a run."""


@dataclass(slots=True)
class ControlRun:
    """A backtest or a sweep.

    Attributes:
        id: Its id, and the name of its folder.
        kind: ``"backtest"`` or ``"sweep"``.
        app: Name of the app.
        target: Where its definition is.
        parameters: Values of a backtest.
        points: Values of each run of a sweep.
        varied: Names of the parameters that vary in a sweep.
        rank_by: Figure that a sweep ranks by.
        workers: Number of processes of a sweep.
        walk_forward: Folds, part in sample, and way of a walk-forward; empty for a plain sweep.
        start: First day; empty for the start of the data.
        end: Last day; empty for the end of the data.
        user: Who started it.
        created: When it was asked for, nanoseconds since 1970.
        ended: When it ended; 0 before.
        began: When its process was started; 0 before.
        state: Where it is.
        error: Why it failed.
        progress: Last progress that its process has said.
        summary: Digest and main figures of a backtest, or the luck of a sweep.
        same_as: Id of an earlier backtest with the same digest.
        is_recorded: Whether it comes from a recording, and was not started here.
    """

    id: str
    kind: str
    app: str
    target: str
    parameters: dict[str, Any] = field(default_factory=dict)
    points: list[dict[str, Any]] = field(default_factory=list)
    varied: list[str] = field(default_factory=list)
    rank_by: str = ""
    workers: int = 0
    walk_forward: dict[str, Any] = field(default_factory=dict)
    start: str = ""
    end: str = ""
    user: str = ""
    created: int = 0
    ended: int = 0
    began: int = 0
    state: str = QUEUED
    error: str = ""
    progress: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    same_as: str = ""
    is_recorded: bool = False

"""Record runs of apps, so that they can be listed and compared."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, update

from ingenium.ids import random_id
from ingenium.recorder.database import Database, failures
from ingenium.recorder.schema import RUNS

__all__ = ["BACKTEST", "KINDS", "LIVE", "REPLAY", "SWEEP", "begin_run", "end_run"]

KINDS = LIVE, BACKTEST, REPLAY, SWEEP = "live", "backtest", "replay", "sweep"
"""Kinds of runs. A replay runs history over a server, as ``ingenium run`` does. Runs of a sweep
have figures, and no events."""


def begin_run(database: Database, app: str, kind: str, parameters: Mapping[str, Any]) -> str:
    """Record the start of a run.

    Args:
        database: Database to write to.
        app: Name of the app.
        kind: `LIVE`, `BACKTEST` or `REPLAY`.
        parameters: Parameters of the run.

    Returns:
        Id of the run.

    Raises:
        RecorderError: The database cannot be written.
    """
    run_id = random_id("run")
    row = {
        "id": run_id,
        "app": app,
        "kind": kind,
        "started": time.time_ns(),
        "ended": 0,
        "digest": "",
        "parameters": json.dumps(dict(parameters), sort_keys=True),
        "stats": "{}",
    }
    with failures(database, "be written"), database.engine.begin() as connection:
        connection.execute(insert(RUNS).values(row))
    return run_id


def end_run(
    database: Database,
    run_id: str,
    *,
    digest: str = "",
    parameters: Mapping[str, Any] | None = None,
    stats: Mapping[str, Any] | None = None,
) -> None:
    """Record the end of a run and its results.

    Args:
        database: Database to write to.
        run_id: Id of the run.
        digest: Events digest.
        parameters: Parameters, where they were not known at the start; JSON values.
        stats: Figures by name; JSON values.

    Raises:
        RecorderError: The database cannot be written.
    """
    row: dict[str, Any] = {
        "ended": time.time_ns(),
        "digest": digest,
        "stats": json.dumps(dict(stats or {}), sort_keys=True),
    }
    if parameters is not None:
        row["parameters"] = json.dumps(dict(parameters), sort_keys=True)
    with failures(database, "be written"), database.engine.begin() as connection:
        connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(row))

"""Record runs of apps, so that they can be listed and compared."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from sqlalchemy import insert, update

from ingenium.ids import random_id
from ingenium.recorder.database import Database, failures
from ingenium.recorder.schema import RUNS

__all__ = ["begin_run", "end_run"]


def begin_run(database: Database, app: str, kind: str, parameters: Mapping[str, str]) -> str:
    """Record the start of a run.

    Args:
        database: Database to write to.
        app: Name of the app.
        kind: ``"live"`` or ``"backtest"``.
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
    database: Database, run_id: str, *, digest: str = "", stats: Mapping[str, str] | None = None
) -> None:
    """Record the end of a run and its results.

    Raises:
        RecorderError: The database cannot be written.
    """
    row = {
        "ended": time.time_ns(),
        "digest": digest,
        "stats": json.dumps(dict(stats or {}), sort_keys=True),
    }
    with failures(database, "be written"), database.engine.begin() as connection:
        connection.execute(update(RUNS).where(RUNS.c.id == run_id).values(row))

"""List runs and compare them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ingenium.errors import ConfigError, RecorderError
from ingenium.recorder.record_table import RecordTable

__all__ = ["compare_runs", "run_table"]

_FIGURES = ("total_return", "sharpe", "max_drawdown", "trades")
_COLUMNS = ("id", "app", "kind", "started", "ended", "digest", "parameters", "stats")


def run_table(rows: Sequence[Any], more: str = "", notes: Sequence[object] = ()) -> RecordTable:
    """Return rows of `RUNS` with their main figures.

    A figure that a run has not is ``None``, and so is the end of a run that has none.
    """
    made = []
    for row in rows:
        stats = json.loads(row.stats)
        made.append(
            (
                *(getattr(row, name) for name in _COLUMNS[:4]),
                row.ended or None,
                *(stats.get(name) for name in _FIGURES),
                *(getattr(row, name) for name in _COLUMNS[5:]),
            )
        )
    return RecordTable(
        (*_COLUMNS[:5], *_FIGURES, *_COLUMNS[5:]), made, ("started", "ended"), more, notes
    )


def compare_runs(found: Mapping[str, Any], run_ids: Sequence[str], where: str) -> RecordTable:
    """Return the inputs and figures in which runs differ.

    Args:
        found: Rows of `RUNS` by id.
        run_ids: Ids of the runs to compare, in the order of the columns.
        where: Location of the database, for the error text.

    Raises:
        ConfigError: There are fewer than two runs.
        RecorderError: A run is unknown.
    """
    if len(set(run_ids)) < 2:
        raise ConfigError("a comparison needs the ids of two runs or more: see ingenium runs")
    for run_id in run_ids:
        if run_id not in found:
            raise RecorderError(f"{where} knows no run {run_id!r}")
    columns = [_flat(found[run_id]) for run_id in run_ids]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [
        (name, *values)
        for name in names
        if len(set(values := [column.get(name, "") for column in columns])) > 1
    ]
    return RecordTable(("name", *run_ids), rows)


def _flat(row: Any) -> dict[str, str]:
    """Return the inputs and figures of a run as text by name."""
    values = {"app": row.app, "kind": row.kind, "digest": row.digest}
    for part, text in (("", row.stats), ("input ", row.parameters)):
        for name, value in json.loads(text).items():
            values[f"{part}{name}"] = value if isinstance(value, str) else json.dumps(value)
    return values

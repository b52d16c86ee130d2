"""Runs sweeps of registered apps."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from connectrpc.request import RequestContext

from ingenium.backtest.sweep.sweep_run import FIGURES
from ingenium.control._gen.ingenium.control.v1 import sweeps_pb as pb
from ingenium.control._gen.ingenium.control.v1.sweeps_connect import SweepService
from ingenium.control.app_catalog import AppCatalog
from ingenium.control.app_service import parameter_value, value_of
from ingenium.control.backtest_service import registered_app
from ingenium.control.call_guard import caller_now, refuse
from ingenium.control.control_run import ControlRun
from ingenium.control.once_by_id import OnceById
from ingenium.control.registered_app import RegisteredApp, Value
from ingenium.control.request_fields import check_days
from ingenium.control.run_board import RunBoard
from ingenium.control.run_messages import sweep_message

__all__ = ["SweepCalls"]

Context = RequestContext[Any, Any]
_MOST_VALUES = 100
_MOST_POINTS = 2500
_MOST_FOLDS = 50
_INSIDE = 0.75
_WAYS = ("rolling", "anchored")


class SweepCalls(SweepService):
    """Implements SweepService.

    Args:
        catalog: The apps.
        board: Runs them.
    """

    def __init__(self, catalog: AppCatalog, board: RunBoard) -> None:
        self._catalog = catalog
        self._board = board
        self._once = OnceById()

    async def list_sweeps(
        self, request: pb.ListSweepsRequest, _: Context, /
    ) -> pb.ListSweepsResponse:
        """Return sweeps, latest first."""
        runs = self._board.listed("sweep", request.app)
        return pb.ListSweepsResponse(sweeps=[sweep_message(run) for run in runs])

    async def start_sweep(
        self, request: pb.StartSweepRequest, _: Context, /
    ) -> pb.StartSweepResponse:
        """Start a sweep."""
        app = registered_app(self._catalog, request.app)
        rank_by = request.rank_by or "sharpe"
        if rank_by not in FIGURES:
            raise refuse(f"there is no figure {rank_by!r}: use one of {', '.join(FIGURES)}")
        check_days(request.start_day, request.end_day)
        points = _points(app, request.parameters)
        most = os.cpu_count() or 1
        if not 0 <= request.workers <= most:
            raise refuse(f"workers is {request.workers}: use 1 to {most}, or 0 for all but one")
        walk = _walk_forward(request.walk_forward)
        user = caller_now().user

        async def start() -> ControlRun:
            run = ControlRun("", "sweep", app.name, app.target, points=points, rank_by=rank_by)
            run.varied = sorted(request.parameters)
            run.workers, run.walk_forward = request.workers or max(1, most - 1), walk
            run.start, run.end, run.user = request.start_day, request.end_day, user
            return self._board.start(run)

        run = await self._once.run("StartSweep", request.request_id, start)
        return pb.StartSweepResponse(sweep=sweep_message(run))

    async def get_sweep(self, request: pb.GetSweepRequest, _: Context, /) -> pb.GetSweepResponse:
        """Return a sweep with its runs."""
        run = self._board.find("sweep", request.id)
        folder = self._board.folder_of(run)
        if run.walk_forward:
            found = await asyncio.to_thread(_read, folder / "folds.json")
            return pb.GetSweepResponse(sweep=sweep_message(run), walk_forward=_walked(found or {}))
        rows = await asyncio.to_thread(_read, folder / "cells.json") or []
        rows.sort(key=lambda row: -row["figures"].get(run.rank_by, float("-inf")))
        return pb.GetSweepResponse(sweep=sweep_message(run), cells=[_cell(row) for row in rows])

    async def cancel_sweep(
        self, request: pb.CancelSweepRequest, _: Context, /
    ) -> pb.CancelSweepResponse:
        """End a sweep."""
        run = self._board.find("sweep", request.id)
        self._board.cancel(run)
        return pb.CancelSweepResponse(sweep=sweep_message(run))


def _read(path: Path) -> Any:
    """Return the content of a file of a run; ``None`` before it is there."""
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError:
        return None


def _walk_forward(asked: pb.WalkForwardOptions | None) -> dict[str, Any]:
    """Return the options of a walk-forward with their defaults; empty for none."""
    if asked is None:
        return {}
    if not 0 < asked.folds <= _MOST_FOLDS:
        raise refuse(f"folds is {asked.folds}: use 1 to {_MOST_FOLDS}")
    inside = asked.inside or _INSIDE
    if not 0 < inside < 1:
        raise refuse(f"inside is {inside}: use a number between 0 and 1")
    if asked.way not in {"", *_WAYS}:
        raise refuse(f"way is {asked.way!r}: use {' or '.join(_WAYS)}")
    return {"folds": asked.folds, "inside": inside, "way": asked.way or _WAYS[0]}


def _walked(found: Mapping[str, Any]) -> pb.WalkForwardResult:
    return pb.WalkForwardResult(
        folds=[
            pb.WalkForwardFold(
                start_time=row["start"],
                split_time=row["split"],
                end_time=row["end"],
                parameters={name: parameter_value(value) for name, value in row["point"].items()},
                inside={name: float(value) for name, value in row["inside"].items()},
                outside={name: float(value) for name, value in row["outside"].items()},
                error=row["error"],
            )
            for row in found.get("folds", ())
        ],
        total_return=found.get("total_return"),
        efficiency=found.get("efficiency"),
    )


def _points(app: RegisteredApp, given: Mapping[str, pb.SweepValues]) -> list[dict[str, Value]]:
    """Return each combination of values, checked one by one."""
    if not given:
        raise refuse("parameters is empty: name the values of at least one")
    values: dict[str, Sequence[Value]] = {}
    for name, each in given.items():
        if not 0 < len(each.values) <= _MOST_VALUES:
            raise refuse(f"{name} has {len(each.values)} values: use 1 to {_MOST_VALUES}")
        values[name] = [value_of(value) for value in each.values]
    count = prod(map(len, values.values()))
    if count > _MOST_POINTS:
        raise refuse(f"these are {count} combinations: use at most {_MOST_POINTS}")
    return [
        app.values(dict(zip(values, chosen, strict=True))) for chosen in product(*values.values())
    ]


def _cell(row: Mapping[str, Any]) -> pb.SweepCell:
    return pb.SweepCell(
        parameters={name: parameter_value(value) for name, value in row["point"].items()},
        figures={name: float(value) for name, value in row["figures"].items()},
        error=row["error"],
        events_digest=row["digest"] or "",
    )

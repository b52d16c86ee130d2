"""Runs sweeps of registered apps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
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
        user = caller_now().user

        async def start() -> ControlRun:
            run = ControlRun("", "sweep", app.name, app.target, points=points, rank_by=rank_by)
            run.varied = sorted(request.parameters)
            run.start, run.end, run.user = request.start_day, request.end_day, user
            return self._board.start(run)

        run = await self._once.run("StartSweep", request.request_id, start)
        return pb.StartSweepResponse(sweep=sweep_message(run))

    async def get_sweep(self, request: pb.GetSweepRequest, _: Context, /) -> pb.GetSweepResponse:
        """Return a sweep with its runs."""
        run = self._board.find("sweep", request.id)
        path = self._board.folder_of(run) / "cells.json"
        try:
            rows = json.loads(await asyncio.to_thread(path.read_text, "utf-8"))
        except OSError:
            rows = []
        rows.sort(key=lambda row: -row["figures"].get(run.rank_by, float("-inf")))
        return pb.GetSweepResponse(sweep=sweep_message(run), cells=[_cell(row) for row in rows])

    async def cancel_sweep(
        self, request: pb.CancelSweepRequest, _: Context, /
    ) -> pb.CancelSweepResponse:
        """End a sweep."""
        run = self._board.find("sweep", request.id)
        self._board.cancel(run)
        return pb.CancelSweepResponse(sweep=sweep_message(run))


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

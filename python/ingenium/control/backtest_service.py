"""Runs backtests of registered apps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.request import RequestContext

from ingenium.backtest.formatting import figure_text
from ingenium.control._gen.ingenium.control.v1 import backtests_pb as pb
from ingenium.control._gen.ingenium.control.v1 import common_pb
from ingenium.control._gen.ingenium.control.v1.backtests_connect import BacktestService
from ingenium.control.app_catalog import AppCatalog
from ingenium.control.app_service import value_of
from ingenium.control.call_guard import caller_now, not_found, refuse
from ingenium.control.control_run import ControlRun
from ingenium.control.once_by_id import OnceById
from ingenium.control.recorded_backtests import RecordedBacktests
from ingenium.control.registered_app import NEEDS_HISTORY, RegisteredApp, Value
from ingenium.control.request_fields import check_days
from ingenium.control.run_board import RunBoard
from ingenium.control.run_messages import backtest_message, fill_row, report_message

__all__ = ["BacktestCalls", "file_parts", "given_values", "registered_app"]

Context = RequestContext[Any, Any]
_PART_BYTES = 64 * 1024


def registered_app(catalog: AppCatalog, app: str) -> RegisteredApp:
    """Return the definition of an app that can be backtested.

    Raises:
        ConnectError: There is none of this name, or it has no history.
    """
    found = catalog.registered.get(app)
    if found is None:
        names = [each.name for each in catalog.registered.values() if each.is_historical]
        raise not_found(
            f"no app {app!r} can be backtested: there are {', '.join(names) or 'none'}; start "
            "ingenium dashboard with the file of the app"
        )
    if not found.is_historical:
        raise ConnectError(Code.FAILED_PRECONDITION, f"app {app!r} {NEEDS_HISTORY}")
    return found


def given_values(parameters: Mapping[str, common_pb.ParameterValue]) -> dict[str, Value]:
    """Return the values of a request.

    Raises:
        ConnectError: One has no value.
    """
    for name, each in parameters.items():
        if each.kind is None:
            raise refuse(f"parameter {name!r} has no value: leave it out for its default")
    return {name: value_of(each) for name, each in parameters.items()}


async def file_parts(path: Path) -> AsyncIterator[bytes]:
    """Yield a file in parts."""
    with path.open("rb") as file:
        while part := await asyncio.to_thread(file.read, _PART_BYTES):
            yield part


class BacktestCalls(BacktestService):
    """Implements BacktestService.

    Args:
        catalog: The apps.
        board: Runs them.
    """

    def __init__(self, catalog: AppCatalog, board: RunBoard) -> None:
        self._catalog = catalog
        self._board = board
        self._recorded = RecordedBacktests(catalog)
        self._once = OnceById()

    async def list_backtests(
        self, request: pb.ListBacktestsRequest, _: Context, /
    ) -> pb.ListBacktestsResponse:
        """Return backtests of the server and recorded ones, latest first."""
        runs = self._board.listed("backtest", request.app)
        runs += await self._recorded.listed(request.app)
        runs.sort(key=lambda run: -run.created)
        return pb.ListBacktestsResponse(backtests=[backtest_message(run) for run in runs])

    async def _find(self, run_id: str) -> ControlRun:
        found = await self._recorded.find(run_id)
        return self._board.find("backtest", run_id) if found is None else found

    async def _result(self, run: ControlRun) -> Mapping[str, Any] | None:
        if run.is_recorded:
            return await self._recorded.result(run)
        return await asyncio.to_thread(self._board.result, run)

    async def start_backtest(
        self, request: pb.StartBacktestRequest, _: Context, /
    ) -> pb.StartBacktestResponse:
        """Start a backtest."""
        app = registered_app(self._catalog, request.app)
        values = app.values(given_values(request.parameters))
        check_days(request.start_day, request.end_day)
        user = caller_now().user

        async def start() -> ControlRun:
            run = ControlRun("", "backtest", app.name, app.target, dict(values))
            run.start, run.end, run.user = request.start_day, request.end_day, user
            return self._board.start(run)

        run = await self._once.run("StartBacktest", request.request_id, start)
        return pb.StartBacktestResponse(backtest=backtest_message(run))

    async def get_backtest(
        self, request: pb.GetBacktestRequest, _: Context, /
    ) -> pb.GetBacktestResponse:
        """Return a backtest with its result."""
        run = await self._find(request.id)
        result = await self._result(run)
        return pb.GetBacktestResponse(
            backtest=backtest_message(run),
            report=None if result is None else report_message(result),
        )

    async def get_backtest_file(
        self, request: pb.GetBacktestFileRequest, _: Context, /
    ) -> AsyncIterator[pb.GetBacktestFileResponse]:
        """Return the report as a file."""
        run = await self._find(request.id)
        path = self._board.folder_of(run) / "report.html"
        if not path.is_file():
            raise ConnectError(Code.FAILED_PRECONDITION, f"backtest {run.id} has no report")
        name = f"{run.app}-backtest.html"
        async for part in file_parts(path):
            yield pb.GetBacktestFileResponse(data=part, file_name=name)
            name = ""

    async def watch_backtest(
        self, request: pb.WatchBacktestRequest, _: Context, /
    ) -> AsyncIterator[pb.WatchBacktestResponse]:
        """Follow a backtest to its end."""
        run = await self._find(request.id)
        while not run.ended:
            yield pb.WatchBacktestResponse(backtest=backtest_message(run))
            await self._board.next_change(run)
        yield pb.WatchBacktestResponse(backtest=backtest_message(run))

    async def cancel_backtest(
        self, request: pb.CancelBacktestRequest, _: Context, /
    ) -> pb.CancelBacktestResponse:
        """End a backtest."""
        run = await self._find(request.id)
        self._board.cancel(run)
        return pb.CancelBacktestResponse(backtest=backtest_message(run))

    async def compare_backtests(
        self, request: pb.CompareBacktestsRequest, _: Context, /
    ) -> pb.CompareBacktestsResponse:
        """Compare two backtests."""
        runs = [await self._find(each) for each in (request.left_id, request.right_id)]
        results = []
        for run in runs:
            result = await self._result(run)
            if result is None:
                raise ConnectError(Code.FAILED_PRECONDITION, f"backtest {run.id} has no result")
            results.append(result)
        left, right = ([fill_row(each) for each in result["fills"]] for result in results)
        equal = next(
            (at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b),
            min(len(left), len(right)),
        )
        digests = [result["events_digest"] for result in results]
        return pb.CompareBacktestsResponse(
            is_equal=digests[0] == digests[1],
            values=[
                *_compared([run.parameters for run in runs], is_parameter=True),
                *_compared([result["stats"] for result in results], is_parameter=False),
            ],
            equal_fills=equal,
            left_fill=left[equal] if equal < len(left) else None,
            right_fill=right[equal] if equal < len(right) else None,
        )


def _compared(sides: list[Mapping[str, Any]], *, is_parameter: bool) -> list[pb.ComparedValue]:
    text = _parameter_text if is_parameter else _figure_text
    names = dict.fromkeys(name for side in sides for name in side)
    found = [(name, *(text(name, side.get(name)) for side in sides)) for name in names]
    return [
        pb.ComparedValue(name=name, left=left, right=right, is_parameter=is_parameter)
        for name, left, right in found
        if left != right
    ]


def _parameter_text(_: str, value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _figure_text(name: str, value: object) -> str:
    """Return a figure as the command line prints it."""
    if value is None or isinstance(value, str):
        return value or ""
    return figure_text(name, value) if isinstance(value, int | float) else json.dumps(value)

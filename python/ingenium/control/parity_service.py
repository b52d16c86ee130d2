"""Compares recorded live runs with backtests, each in a process of its own."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.request import RequestContext

from ingenium.control._gen.ingenium.control.v1 import parity_pb as pb
from ingenium.control._gen.ingenium.control.v1.parity_connect import ParityService
from ingenium.control.app_catalog import AppCatalog
from ingenium.control.call_guard import not_found
from ingenium.control.job_runner import run_job
from ingenium.recorder.instants import nanoseconds

__all__ = ["ParityCalls"]

Context = RequestContext[Any, Any]
_MOST = 500


class ParityCalls(ParityService):
    """Implements ParityService.

    Args:
        catalog: Finds definitions and recordings.
    """

    def __init__(self, catalog: AppCatalog) -> None:
        self._catalog = catalog
        self._one = asyncio.Semaphore(1)

    async def get_parity(self, request: pb.GetParityRequest, _: Context, /) -> pb.GetParityResponse:
        """Compare a live run with its backtest."""
        app = self._catalog.resolve(request.app)
        registered = self._catalog.registered.get(app)
        if registered is None:
            raise not_found(
                f"the definition of {app!r} is not at hand: start ingenium dashboard with its file"
            )
        job = {
            "kind": "parity",
            "target": registered.target,
            "place": self._catalog.recording_url(app),
            "run_id": request.run_id,
        }
        async with self._one:
            with tempfile.TemporaryDirectory() as folder:
                error = await run_job(job, Path(folder), lambda _: None)
                if error:
                    raise ConnectError(Code.FAILED_PRECONDITION, error)
                found = json.loads((Path(folder) / "result.json").read_text("utf-8"))
        return _response(found)


def _response(found: Mapping[str, Any]) -> pb.GetParityResponse:
    fills = found["fills"]
    return pb.GetParityResponse(
        share=found["parity"],
        counts=[
            pb.ParityCount(
                kind=kind, live=each["live"], backtest=each["backtest"], equal=each["equal"]
            )
            for kind, each in found["counts"].items()
        ],
        divergences=[_divergence(each) for each in found["divergences"][:_MOST]],
        divergence_count=len(found["divergences"]),
        fills=fills["compared"],
        slippage_cost=fills["cost"],
        slippage_basis_points=fills["basis_points"],
        notes=found["notes"],
        events_digest=found["events_digest"],
    )


def _divergence(row: Mapping[str, Any]) -> pb.Divergence:
    return pb.Divergence(
        time=nanoseconds(datetime.fromisoformat(row["time"])),
        kind=row["kind"],
        symbol=row["symbol"],
        cause=row["cause"],
        text=row["text"],
        follows=row["follows"],
        differs=row["differs"],
        live=_values(row["live"]),
        backtest=_values(row["backtest"]),
    )


def _values(item: Mapping[str, Any] | None) -> dict[str, str]:
    return {} if item is None else {name: str(value) for name, value in item.items()}

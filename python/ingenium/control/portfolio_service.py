"""Reads the account of an app, live and from its recording."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

from connectrpc.request import RequestContext

from ingenium.control._gen.ingenium.control.v1 import portfolio_pb as pb
from ingenium.control._gen.ingenium.control.v1.portfolio_connect import PortfolioService
from ingenium.control.app_catalog import AppCatalog
from ingenium.control.app_monitors import AppMonitors
from ingenium.control.call_guard import refuse
from ingenium.control.money_messages import decimal_of, plain
from ingenium.control.request_fields import time_of_field, time_range
from ingenium.errors import IngeniumError
from ingenium.recorder.records import Records

__all__ = ["MidnightEquity", "PortfolioCalls"]

Context = RequestContext[Any, Any]
_POINTS = 1000
_MOST_POINTS = 5000
_PROFIT_BY = {pb.ProfitBy.SYMBOL: "symbol", pb.ProfitBy.STRATEGY: "strategy"}
_DAY = 24 * 3600 * 1_000_000_000


class MidnightEquity:
    """The equity of apps at the beginning of the day, from their recordings.

    Args:
        catalog: Finds recordings.
    """

    def __init__(self, catalog: AppCatalog) -> None:
        self._catalog = catalog
        self._known: dict[str, tuple[int, Decimal | None]] = {}

    async def of(self, app: str, starting_cash: Decimal | None) -> Decimal | None:
        """Return the equity of an app at 00:00 UTC; ``None`` if it cannot be known.

        Args:
            app: Name of the app.
            starting_cash: Cash at its beginning; ``None`` if unknown.
        """
        from ingenium.recorder.equity_history import equity_history, is_whole

        midnight = time.time_ns() // _DAY * _DAY
        day, known = self._known.get(app, (0, None))
        if day == midnight and known is not None:
            return known
        if starting_cash is None or not self._catalog.is_recorded(app):
            return None

        def query(records: Records) -> Decimal | None:
            if not records.run(lambda connection: is_whole(connection, app)):
                return None
            found = records.run(
                lambda connection: equity_history(
                    connection, app, starting_cash, until=midnight, points=2
                )
            )
            return found[-1].equity if found else starting_cash

        try:
            equity = await self._catalog.read(app, query)
        except IngeniumError:
            return None
        self._known[app] = midnight, equity
        return equity


class PortfolioCalls(PortfolioService):
    """Implements PortfolioService.

    Args:
        monitors: Observe apps.
    """

    def __init__(self, monitors: AppMonitors) -> None:
        self._monitors = monitors
        self._catalog = monitors.catalog

    async def get_portfolio(
        self, request: pb.GetPortfolioRequest, _: Context, /
    ) -> pb.GetPortfolioResponse:
        """Return the account as the portfolio reports it."""
        present = await self._monitors.of(request.app).present()
        return pb.GetPortfolioResponse(portfolio=present["portfolio"])

    async def get_equity_history(
        self, request: pb.GetEquityHistoryRequest, _: Context, /
    ) -> pb.GetEquityHistoryResponse:
        """Return the equity over time."""
        from ingenium.recorder.equity_history import equity_history, is_whole

        points = request.max_points or _POINTS
        if not 2 <= points <= _MOST_POINTS:
            raise refuse(f"max_points is {points}: use 2 to {_MOST_POINTS}")
        app = self._catalog.resolve(request.app)
        if why := self._catalog.why_not_recorded(app):
            return pb.GetEquityHistoryResponse(notes=[why])
        view = await self._monitors.of(app).view()
        cash = decimal_of(view.status.money.starting_cash)
        since = request.since_time if request.has_field("since_time") else None
        until = request.until_time if request.has_field("until_time") else None

        def query(records: Records) -> tuple[Any, bool]:
            return records.run(
                lambda connection: (
                    equity_history(connection, app, cash, since, until, points),
                    is_whole(connection, app),
                )
            )

        found, whole = await self._catalog.read(app, query)
        notes = [] if whole else ["events were not recorded, so fills may be missing: see the gaps"]
        return pb.GetEquityHistoryResponse(
            points=[
                pb.EquityPoint(
                    time=each.time,
                    equity=plain(each.equity),
                    drawdown=each.drawdown,
                    exposure=plain(each.exposure),
                )
                for each in found
            ],
            has_starting_cash=cash is not None,
            notes=notes,
        )

    async def list_positions(
        self, request: pb.ListPositionsRequest, _: Context, /
    ) -> pb.ListPositionsResponse:
        """Return the positions at a time."""
        app = self._catalog.resolve(request.app)
        at = time_of_field(request, "at_time")
        if why := self._catalog.why_not_recorded(app):
            return pb.ListPositionsResponse(notes=[why])
        table = await self._catalog.read(app, lambda records: records.positions(app, at=at))
        return pb.ListPositionsResponse(
            positions=[
                pb.Position(
                    symbol=row["symbol"],
                    quantity=plain(row["quantity"]),
                    average_cost=plain(row["average_cost"]),
                    realized_pnl=plain(row["realized_pnl"]),
                )
                for row in table
            ],
            notes=list(table.notes),
        )

    async def list_profit(
        self, request: pb.ListProfitRequest, _: Context, /
    ) -> pb.ListProfitResponse:
        """Return the realized profit by day or symbol."""
        app = self._catalog.resolve(request.app)
        by = _PROFIT_BY.get(request.by, "day")
        since, until = time_range(request)
        if why := self._catalog.why_not_recorded(app):
            return pb.ListProfitResponse(notes=[why])
        table = await self._catalog.read(
            app, lambda records: records.pnl(app, by=by, since=since, until=until)
        )
        return pb.ListProfitResponse(
            rows=[
                pb.ProfitRow(
                    key=row[by],
                    fills=row["fills"],
                    realized_pnl=plain(row["realized_pnl"]),
                    commissions=plain(row["commissions"]),
                    net_pnl=plain(row["net_pnl"]),
                )
                for row in table
            ],
            notes=list(table.notes),
        )

"""All services of the control plane, with what they share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from connectrpc_grpcreflect import (
    ServerReflectionAlphaASGIApplication,
    ServerReflectionAlphaService,
    ServerReflectionASGIApplication,
    ServerReflectionService,
)

from ingenium.control._gen.ingenium.control.health import health_connect
from ingenium.control._gen.ingenium.control.v1 import (
    apps_connect,
    backtests_connect,
    components_connect,
    data_connect,
    events_connect,
    parity_connect,
    portfolio_connect,
    session_connect,
    session_pb,
    sweeps_connect,
    trading_connect,
    transactions_connect,
    watch_connect,
)
from ingenium.control.app_catalog import AppCatalog
from ingenium.control.app_monitors import AppMonitors
from ingenium.control.app_service import AppCalls
from ingenium.control.audit_log import AuditLog
from ingenium.control.backtest_service import BacktestCalls
from ingenium.control.call_guard import CallBoundary, RoleGuard
from ingenium.control.callers import CallerRegistry
from ingenium.control.component_calls import ComponentCalls
from ingenium.control.data_service import DataCalls
from ingenium.control.event_service import EventCalls
from ingenium.control.grpc_health import GrpcHealth
from ingenium.control.http_gate import MOST_BYTES, Application
from ingenium.control.parity_service import ParityCalls
from ingenium.control.portfolio_service import MidnightEquity, PortfolioCalls
from ingenium.control.run_board import RunBoard
from ingenium.control.session_service import SessionCalls
from ingenium.control.sweep_service import SweepCalls
from ingenium.control.trading_service import TradingCalls
from ingenium.control.transaction_service import TransactionCalls
from ingenium.control.watch_service import WatchCalls

__all__ = ["ControlServices"]


class ControlServices:
    """Makes the services.

    Args:
        catalog: The apps.
        callers: Knows credentials.
        audit: The audit log.
        url: URL of this server.
        instance: Name of this start of the server.

    Attributes:
        applications: ASGI applications by path, ``"/package.Service"``.
        session_path: Path of the methods of SessionService.
    """

    def __init__(
        self,
        catalog: AppCatalog,
        callers: CallerRegistry,
        audit: AuditLog,
        url: str,
        instance: str,
    ) -> None:
        self._catalog = catalog
        self._board = RunBoard(catalog.settings.data_directory / "control-runs")
        self._monitors = AppMonitors(catalog, MidnightEquity(catalog).of)
        self._watch = WatchCalls(self._monitors, self._board, callers, instance)
        session = SessionCalls(callers, url, instance, self._check)
        options: dict[str, Any] = {
            "interceptors": (RoleGuard(), CallBoundary(audit)),
            "read_max_bytes": MOST_BYTES,
            # A compressed body may be far larger than its bytes.
            "compressions": (),
        }
        made = (
            session_connect.SessionServiceASGIApplication(session, **options),
            apps_connect.AppServiceASGIApplication(AppCalls(catalog), **options),
            components_connect.ComponentServiceASGIApplication(
                ComponentCalls(self._monitors), **options
            ),
            trading_connect.TradingServiceASGIApplication(TradingCalls(self._monitors), **options),
            portfolio_connect.PortfolioServiceASGIApplication(
                PortfolioCalls(self._monitors), **options
            ),
            transactions_connect.TransactionServiceASGIApplication(
                TransactionCalls(catalog), **options
            ),
            events_connect.EventServiceASGIApplication(EventCalls(catalog), **options),
            data_connect.DataServiceASGIApplication(DataCalls(catalog), **options),
            backtests_connect.BacktestServiceASGIApplication(
                BacktestCalls(catalog, self._board), **options
            ),
            sweeps_connect.SweepServiceASGIApplication(SweepCalls(catalog, self._board), **options),
            parity_connect.ParityServiceASGIApplication(ParityCalls(catalog), **options),
            watch_connect.WatchServiceASGIApplication(self._watch, **options),
        )
        self.session_path = made[0].path
        described = [
            service.desc()
            for service in (
                session_connect.SessionService,
                apps_connect.AppService,
                components_connect.ComponentService,
                trading_connect.TradingService,
                portfolio_connect.PortfolioService,
                transactions_connect.TransactionService,
                events_connect.EventService,
                data_connect.DataService,
                backtests_connect.BacktestService,
                sweeps_connect.SweepService,
                parity_connect.ParityService,
                watch_connect.WatchService,
            )
        ]
        names = [each.type_name for each in described]
        described.append(health_connect.Health.desc())
        standard = (
            health_connect.HealthASGIApplication(GrpcHealth(names, self._watch.closing), **options),
            ServerReflectionASGIApplication(ServerReflectionService(*described), **options),
            ServerReflectionAlphaASGIApplication(
                ServerReflectionAlphaService(*described), **options
            ),
        )
        self.applications: Mapping[str, Application] = {
            each.path: each for each in (*made, *standard)
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Own what works beside calls, and end it."""
        try:
            yield
        finally:
            await self._monitors.close()
            await self._board.close()
            self._catalog.close()

    def close(self) -> None:
        """End all streams."""
        self._watch.close()

    async def _check(self, app: str) -> list[session_pb.HealthCheck]:
        name = self._catalog.resolve(app)
        monitor = self._monitors.of(name)
        await monitor.view()
        is_connected, error = monitor.connection
        needs_server = self._catalog.needs_server(name)
        is_recorded = self._catalog.is_recorded(name)
        text = "the server answers"
        if not is_connected:
            text = error if needs_server else "none: this app is backtested, and needs no server"
        return [
            session_pb.HealthCheck(
                name="nats",
                is_well=is_connected or not needs_server,
                text=text,
                is_expected=needs_server,
            ),
            session_pb.HealthCheck(
                name="recording",
                is_well=is_recorded or not needs_server,
                text=(
                    self._catalog.recording_place(name)
                    if is_recorded
                    else f"none: ingenium record {name}"
                ),
                is_expected=needs_server,
            ),
        ]

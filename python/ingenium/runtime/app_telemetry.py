"""Traces an app and counts what it does, for the time of a run, if the environment asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from ingenium.components.app import App
from ingenium.components.middleware import Middleware
from ingenium.runtime.metrics_middleware import MetricsMiddleware
from ingenium.runtime.trace_middleware import TraceMiddleware
from ingenium.telemetry.metrics import ProcessMetrics
from ingenium.telemetry.open_export import open_export
from ingenium.telemetry.prometheus import open_endpoint

__all__ = ["observed"]


@contextmanager
def observed(app: App, environment: Mapping[str, str]) -> Iterator[None]:
    """Trace an app while it runs, and serve its metrics, if ``OTEL_*`` variables ask for it.

    Leaving it exports what is left, for at most two seconds. To be entered before the runners of
    the app are made, and outside of an event loop.

    Args:
        app: The app; the middleware of telemetry is put before its own.
        environment: Variables of the process.

    Raises:
        ConfigError: The OpenTelemetry SDK is missing, or a setting is invalid.
    """
    before, added = app.middleware, list[Middleware]()
    with ExitStack() as stack:
        if (export := open_export(environment, app.name)) is not None:
            stack.callback(export.close)
            added.append(TraceMiddleware(export))
        metrics = ProcessMetrics()
        if (endpoint := open_endpoint(environment, metrics)) is not None:
            stack.callback(endpoint.close)
            added.append(MetricsMiddleware(metrics))
        app.middleware = (*added, *before)
        try:
            yield
        finally:
            app.middleware = before

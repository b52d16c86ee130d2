"""Traces an app for the time of a run, if the environment asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ingenium.components.app import App
from ingenium.runtime.trace_middleware import TraceMiddleware
from ingenium.telemetry.open_export import open_export

__all__ = ["traced"]


@contextmanager
def traced(app: App, environment: Mapping[str, str]) -> Iterator[None]:
    """Trace an app while it runs, if ``OTEL_*`` variables ask for it; else do nothing.

    Leaving it exports what is left, for at most two seconds. To be entered before the runners of
    the app are made, and outside of an event loop.

    Args:
        app: The app; its middleware begins with that of the traces.
        environment: Variables of the process.

    Raises:
        ConfigError: The OpenTelemetry SDK is missing, or its configuration is invalid.
    """
    export = open_export(environment, app.name)
    if export is None:
        yield
        return
    before = app.middleware
    app.middleware = (TraceMiddleware(export), *before)
    try:
        yield
    finally:
        app.middleware = before
        export.close()

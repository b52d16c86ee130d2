"""Traces, metrics and logs of an app, for the time of a run, if the environment asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from threading import Thread

from ingenium.components.app import App
from ingenium.components.middleware import Middleware
from ingenium.runtime.log_middleware import LogMiddleware
from ingenium.runtime.metrics_middleware import MetricsMiddleware
from ingenium.runtime.trace_middleware import TraceMiddleware
from ingenium.telemetry.metrics import ProcessMetrics
from ingenium.telemetry.open_export import open_export, open_logs, open_metrics
from ingenium.telemetry.prometheus import open_endpoint

__all__ = ["exported", "metrics_of", "observed"]


@contextmanager
def observed(
    app: App, environment: Mapping[str, str], *, with_log_context: bool = False
) -> Iterator[None]:
    """Export traces, metrics and logs of an app while it runs, if ``OTEL_*`` variables ask for it.

    Leaving it exports what is left, for at most two seconds. To be entered before the runners of
    the app are made, and outside of an event loop.

    Args:
        app: The app; the middleware of telemetry is put before its own.
        environment: Variables of the process.
        with_log_context: Whether log records need component and trace, as written ones do.

    Raises:
        ConfigError: The OpenTelemetry SDK is missing, or a setting is invalid.
    """
    is_live = not app.historical
    before, added = app.middleware, list[Middleware]()
    with ExitStack() as stack:
        closing: list[Callable[[], None]] = []
        stack.callback(_call_together, closing)
        if (spans := open_export(environment, app.name, is_live=is_live)) is not None:
            closing.append(spans.close)
            added.append(TraceMiddleware(spans, keeps_failures=spans.keeps_failures))
        if (metrics := _open_metrics(app.name, environment, closing)) is not None:
            added.append(MetricsMiddleware(metrics))
        if (logs := open_logs(environment, app.name)) is not None:
            closing.append(logs.close)
        if logs is not None or with_log_context:
            added.append(LogMiddleware())
        app.middleware = (*added, *before)
        try:
            yield
        finally:
            app.middleware = before


@contextmanager
def exported(service: str, environment: Mapping[str, str]) -> Iterator[ProcessMetrics | None]:
    """Export the metrics of a process without components, if variables ask for it.

    Args:
        service: ``service.name`` where no variable sets it.
        environment: Variables of the process.

    Raises:
        ConfigError: The OpenTelemetry SDK is missing, or a setting is invalid.
    """
    with ExitStack() as stack:
        closing: list[Callable[[], None]] = []
        stack.callback(_call_together, closing)
        yield _open_metrics(service, environment, closing)


def metrics_of(middleware: Iterable[Middleware]) -> ProcessMetrics | None:
    """Return the metrics of an app that is observed; ``None`` if it has none."""
    found = (each.metrics for each in middleware if isinstance(each, MetricsMiddleware))
    return next(found, None)


def _open_metrics(
    service: str, environment: Mapping[str, str], closing: list[Callable[[], None]]
) -> ProcessMetrics | None:
    metrics = ProcessMetrics()
    exports = (open_metrics(environment, service, metrics), open_endpoint(environment, metrics))
    closing += [each.close for each in exports if each is not None]
    return metrics if any(exports) else None


def _call_together(functions: Sequence[Callable[[], None]]) -> None:
    """Call functions that wait for a collector, at the same time, so that a stop waits once."""
    threads = [Thread(target=each, daemon=True) for each in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

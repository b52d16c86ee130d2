"""Opens the exports that the standard environment variables ask for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ingenium.errors import ConfigError

if TYPE_CHECKING:
    from ingenium.telemetry.metrics import ProcessMetrics
    from ingenium.telemetry.otel_export import OtelExport
    from ingenium.telemetry.otel_logs import OtelLogs
    from ingenium.telemetry.otel_metrics import OtelMetrics

__all__ = ["is_asked_for", "open_export", "open_logs", "open_metrics"]

_MISSING = (
    "OTEL_* variables ask for telemetry, and {} is missing: pip install 'ingenium[telemetry]', or "
    "set OTEL_SDK_DISABLED=true"
)


def is_asked_for(environment: Mapping[str, str], signal: str = "traces") -> bool:
    """Return whether standard variables ask for the export of a signal by OpenTelemetry.

    They do with ``OTEL_CONFIG_FILE``, an OTLP endpoint or the signal's own list of exporters,
    unless that has nothing but ``none``, and for metrics ``prometheus``, which needs no
    OpenTelemetry. ``OTEL_SDK_DISABLED=true`` turns it off. Other variables only say how.

    Args:
        environment: Variables of the process.
        signal: ``"traces"``, ``"metrics"`` or ``"logs"``.
    """

    def value(name: str) -> str:
        return environment.get(name, "").strip()

    if value("OTEL_SDK_DISABLED").lower() == "true":
        return False
    if value("OTEL_CONFIG_FILE"):
        return True
    if exporters := value(f"OTEL_{signal.upper()}_EXPORTER"):
        names = {each.strip() for each in exporters.split(",")}
        return bool(names - ({"none", "prometheus"} if signal == "metrics" else {"none"}))
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    return any(value(name) for name in endpoints)


def open_export(
    environment: Mapping[str, str], service: str, *, is_live: bool = False
) -> OtelExport | None:
    """Open the export of spans that the variables ask for.

    OpenTelemetry is imported here only, so that a run without it makes no call of it.

    Args:
        environment: Variables of the process; the SDK reads its own from ``os.environ``.
        service: ``service.name`` where no variable sets it.
        is_live: Whether traces are of live data; see `OtelExport`.

    Returns:
        The export, to be closed at the end; ``None`` if none is asked for.

    Raises:
        ConfigError: The SDK is missing, or its configuration is invalid.
    """
    if not is_asked_for(environment):
        return None
    with _named_if_missing():
        from ingenium.telemetry.otel_export import OtelExport
    return OtelExport(environment, service, is_live=is_live)


def open_metrics(
    environment: Mapping[str, str], service: str, metrics: ProcessMetrics
) -> OtelMetrics | None:
    """Open the export of metrics that the variables ask for; see `open_export`.

    Args:
        environment: Variables of the process.
        service: ``service.name`` where no variable sets it.
        metrics: The metrics.
    """
    if not is_asked_for(environment, "metrics"):
        return None
    with _named_if_missing():
        from ingenium.telemetry.otel_metrics import OtelMetrics
    return OtelMetrics(environment, service, metrics)


def open_logs(environment: Mapping[str, str], service: str) -> OtelLogs | None:
    """Open the export of log records that the variables ask for; see `open_export`.

    Args:
        environment: Variables of the process.
        service: ``service.name`` where no variable sets it.
    """
    if not is_asked_for(environment, "logs"):
        return None
    with _named_if_missing():
        from ingenium.telemetry.otel_logs import OtelLogs
    return OtelLogs(environment, service)


@contextmanager
def _named_if_missing() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ConfigError(_MISSING.format(error.name or "OpenTelemetry")) from None

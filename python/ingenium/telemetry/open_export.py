"""Opens the export of spans that the standard environment variables ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ingenium.errors import ConfigError

if TYPE_CHECKING:
    from ingenium.telemetry.otel_export import OtelExport

__all__ = ["is_asked_for", "open_export"]

_ASKING = (
    "OTEL_CONFIG_FILE",
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)
_MISSING = (
    "OTEL_* variables ask for traces, and {} is missing: pip install 'ingenium[telemetry]', or set "
    "OTEL_SDK_DISABLED=true"
)


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """Return whether standard variables ask for traces.

    They do with ``OTEL_CONFIG_FILE``, an OTLP endpoint or ``OTEL_TRACES_EXPORTER``, unless that is
    ``none`` or ``OTEL_SDK_DISABLED`` is ``true``. Other variables only say how.

    Args:
        environment: Variables of the process.
    """
    values = {name: environment.get(name, "").strip() for name in _ASKING}
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if not values["OTEL_CONFIG_FILE"] and values["OTEL_TRACES_EXPORTER"] == "none":
        return False
    return any(values.values())


def open_export(environment: Mapping[str, str], service: str) -> OtelExport | None:
    """Open the export that the variables ask for.

    OpenTelemetry is imported here only, so that a run without it makes no call of it.

    Args:
        environment: Variables of the process; the SDK reads its own from ``os.environ``.
        service: ``service.name`` where no variable sets it.

    Returns:
        The export, to be closed at the end; ``None`` if none is asked for.

    Raises:
        ConfigError: The SDK is missing, or its configuration is invalid.
    """
    if not is_asked_for(environment):
        return None
    try:
        from ingenium.telemetry.otel_export import OtelExport
    except ImportError as error:
        raise ConfigError(_MISSING.format(error.name or "OpenTelemetry")) from None
    return OtelExport(environment, service)

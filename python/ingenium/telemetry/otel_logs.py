"""Export of log records by the OpenTelemetry SDK."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from opentelemetry._logs import LogRecord, SeverityNumber, get_logger_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

from ingenium.telemetry.conventions import COMPONENT, EXCEPTION_TYPE, LOGGER, SCHEMA_URL, SCOPE
from ingenium.telemetry.logs import current_context, redact
from ingenium.telemetry.otel_setup import (
    apply_file,
    exporters_of,
    file_of,
    resource_of,
    shut_down,
)

__all__ = ["OtelLogs"]

_SEVERITIES = (
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
)
# The exporters log their own failures, which must not be exported again.
_OWN = ("opentelemetry", "ingenium.telemetry", "urllib3")


class OtelLogs(logging.Handler):
    """Exports the records of the process as standard variables or ``OTEL_CONFIG_FILE`` say.

    Args:
        environment: Variables of the process.
        service: ``service.name`` where no variable sets it.

    Raises:
        ConfigError: The configuration is invalid, or an exporter is missing.
    """

    def __init__(self, environment: Mapping[str, str], service: str) -> None:
        super().__init__()
        self._provider: LoggerProvider | None = None
        if path := file_of(environment):
            apply_file(path)
            found = get_logger_provider()
            if not isinstance(found, LoggerProvider):
                return
            provider = found
        else:
            provider = LoggerProvider(resource_of(environment, service), shutdown_on_exit=False)
            for exporter in exporters_of(environment, "logs"):
                provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
        self._provider = provider
        self._logger = provider.get_logger(SCOPE, schema_url=SCHEMA_URL)
        logging.getLogger().addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record, without secrets; a full queue drops it."""
        if record.name.startswith(_OWN):
            return
        try:
            self._emit(record)
        except Exception:  # noqa: BLE001 - logging must not fail
            self.handleError(record)

    def _emit(self, record: logging.LogRecord) -> None:
        context = current_context()
        attributes = {LOGGER: record.name}
        if context is not None:
            attributes[COMPONENT] = context.component
        text = record.getMessage()
        if record.exc_info is not None and record.exc_info[0] is not None:
            attributes[EXCEPTION_TYPE] = record.exc_info[0].__qualname__
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        self._logger.emit(
            LogRecord(
                timestamp=int(record.created * 1e9),
                observed_timestamp=int(record.created * 1e9),
                trace_id=int(context.trace_id, 16) if context and context.trace_id else None,
                span_id=int(context.span_id, 16) if context and context.span_id else None,
                severity_text=record.levelname,
                severity_number=_severity(record.levelno),
                body=redact(text),
                attributes=attributes,
            )
        )

    def close(self) -> None:
        """Export what is queued, for a bounded time, and end the export."""
        logging.getLogger().removeHandler(self)
        super().close()
        provider, self._provider = self._provider, None
        if provider is not None:
            shut_down(provider.shutdown, "log records")


def _severity(level: int) -> SeverityNumber:
    return next((found for least, found in _SEVERITIES if level >= least), SeverityNumber.DEBUG)

"""Export of metrics by the OpenTelemetry SDK, which reads the process's own counters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from opentelemetry import metrics as api
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
    ScopeMetrics,
)

from ingenium.telemetry.conventions import SCHEMA_URL, SCOPE
from ingenium.telemetry.metrics import (
    BOUNDS,
    CounterMetric,
    GaugeMetric,
    HistogramMetric,
    ProcessMetrics,
)
from ingenium.telemetry.otel_setup import (
    apply_file,
    exporters_of,
    file_of,
    resource_of,
    shut_down,
)

__all__ = ["OtelMetrics"]


class OtelMetrics:
    """Exports metrics as standard variables or ``OTEL_CONFIG_FILE`` say.

    Counters are read by observable instruments, so that counting costs a dict and no call of the
    SDK. There is no observable histogram: histograms are added on their way to the exporters of
    variables, and are not exported by those of a file.

    Args:
        environment: Variables of the process.
        service: ``service.name`` where no variable sets it.
        metrics: The metrics.

    Raises:
        ConfigError: The configuration is invalid, or an exporter is missing.
    """

    def __init__(
        self, environment: Mapping[str, str], service: str, metrics: ProcessMetrics
    ) -> None:
        self._provider: MeterProvider | None = None
        if path := file_of(environment):
            apply_file(path)
            provider = api.get_meter_provider()
            if not isinstance(provider, MeterProvider):
                return
        else:
            readers = [
                PeriodicExportingMetricReader(_WithHistograms(exporter, metrics))
                for exporter in exporters_of(environment, "metrics")
            ]
            provider = MeterProvider(
                readers, resource_of(environment, service), shutdown_on_exit=False
            )
        self._provider = provider
        meter = provider.get_meter(SCOPE, schema_url=SCHEMA_URL)
        for metric in metrics.all:
            if isinstance(metric, CounterMetric):
                meter.create_observable_counter(
                    metric.name, [_reader_of(metric)], metric.unit, metric.description
                )
            elif isinstance(metric, GaugeMetric):
                meter.create_observable_gauge(
                    metric.name, [_reader_of(metric)], metric.unit, metric.description
                )

    def close(self) -> None:
        """Export once more, for a bounded time, and end the export."""
        if self._provider is not None:
            shut_down(self._provider.shutdown, "metrics")


def _reader_of(
    metric: CounterMetric | GaugeMetric,
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def read(_options: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(value, dict(zip(metric.attributes, key, strict=True)))
            for key, value in list(metric.values.items())
        ]

    return read


class _WithHistograms(MetricExporter):
    """Adds the histograms of a process to what an exporter exports."""

    def __init__(self, exporter: MetricExporter, metrics: ProcessMetrics) -> None:
        super().__init__()
        self._exporter = exporter
        self._histograms = [each for each in metrics.all if isinstance(each, HistogramMetric)]

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        resources = [
            replace(resource, scope_metrics=[self._add(each) for each in resource.scope_metrics])
            for resource in metrics_data.resource_metrics
        ]
        return self._exporter.export(MetricsData(resources), timeout_millis, **kwargs)

    def _add(self, scope: ScopeMetrics) -> ScopeMetrics:
        if scope.scope.name != SCOPE:
            return scope
        points = (point for metric in scope.metrics for point in metric.data.data_points)
        if (point := next(points, None)) is None:
            return scope
        times = point.start_time_unix_nano, point.time_unix_nano
        added = [_histogram(each, *times) for each in self._histograms if each.values]
        return replace(scope, metrics=[*scope.metrics, *added])

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        self._exporter.shutdown(timeout_millis, **kwargs)


def _histogram(metric: HistogramMetric, since: int | None, now: int) -> Metric:
    points = []
    for key, row in list(metric.values.items()):
        *counts, total = list(row)
        points.append(
            HistogramDataPoint(
                attributes=dict(zip(metric.attributes, key, strict=True)),
                start_time_unix_nano=since or now,
                time_unix_nano=now,
                count=int(sum(counts)),
                sum=total,
                bucket_counts=[int(each) for each in counts],
                explicit_bounds=BOUNDS,
                # Optional on the wire, and not known here.
                min=None,  # type: ignore[arg-type]
                max=None,  # type: ignore[arg-type]
            )
        )
    data = Histogram(points, AggregationTemporality.CUMULATIVE)
    return Metric(metric.name, metric.description, metric.unit, data)

"""Metrics over OTLP, received by a collector that decodes them, against those of the process."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE as CUMULATIVE,
)
from support.otlp_receiver import attributes_of, receiving
from support.replaying import make_app

from ingenium.backtest.engine import replay_async
from ingenium.runtime.app_telemetry import observed
from ingenium.telemetry.metrics import BOUNDS, ProcessMetrics
from ingenium.telemetry.open_export import is_asked_for, open_metrics


def test_collector_receives_counters_and_histograms(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = ProcessMetrics()
    with receiving() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        export = open_metrics({"OTEL_METRICS_EXPORTER": "otlp"}, "app", metrics)
        assert export is not None
        for _ in range(3):
            metrics.sent.add("rsi", "SignalEvent")
        metrics.reports.add("paper", "filled")
        metrics.equity.set(1.0, "fixed")
        metrics.equity.set(99_750.25, "fixed")
        metrics.lag.set(2.0, "fixed")
        metrics.lag.set(None, "fixed")
        for seconds in (0.25, 0.375, 20.0):
            metrics.duration.record(seconds, "rsi", "DataEvent")
        export.close()
    assert received.metrics.keys() == {
        "messaging.client.sent.messages", "messaging.process.duration", "ingenium.order.reports",
        "ingenium.account.equity",
    }  # fmt: skip
    sent = received.metrics["messaging.client.sent.messages"]
    assert sent.unit == "{message}"
    assert sent.sum.is_monotonic
    [point] = sent.sum.data_points
    assert point.as_int == 3
    assert attributes_of(point) == {"ingenium.component": "rsi", "ingenium.event": "SignalEvent"}
    equity = received.metrics["ingenium.account.equity"]
    [point] = equity.gauge.data_points
    assert (equity.unit, point.as_double) == ("{currency}", 99_750.25)
    assert attributes_of(point) == {"ingenium.component": "fixed"}
    duration = received.metrics["messaging.process.duration"]
    assert duration.unit == "s"
    assert duration.histogram.aggregation_temporality == CUMULATIVE
    [row] = duration.histogram.data_points
    assert (row.count, row.sum) == (3, 20.625)
    assert not row.HasField("min")
    assert tuple(row.explicit_bounds) == BOUNDS
    # Up to 0.25, up to 0.5, and above the last bound.
    counts = dict(zip([*BOUNDS, "above"], row.bucket_counts, strict=True))
    assert {bound: count for bound, count in counts.items() if count} == {
        0.25: 1, 0.5: 1, "above": 1,
    }  # fmt: skip


def test_counts_of_an_app_are_those_of_its_event_log(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app()
    with receiving() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "as above",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        }
        with observed(app, variables):
            assert len(app.middleware) == 1
            result = asyncio.run(replay_async(app))
    found: dict[str, int] = {}
    for point in received.metrics["messaging.client.sent.messages"].sum.data_points:
        kind = attributes_of(point)["ingenium.event"]
        found[kind] = found.get(kind, 0) + point.as_int
    assert found == {
        "SignalEvent": result.signals,
        "OrderEvent": result.orders,
        "ExecutionEvent": result.executions,
    }
    assert received.spans == []


@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({}, False),
        ({"OTEL_METRICS_EXPORTER": "prometheus"}, False),
        ({"OTEL_METRICS_EXPORTER": "prometheus,otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://a"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a", "OTEL_METRICS_EXPORTER": "none"}, False),
    ],
)
def test_export_is_asked_for_by_standard_variables(variables: dict[str, str], asked: bool) -> None:
    assert is_asked_for(variables, "metrics") is asked

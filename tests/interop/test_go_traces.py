"""One trace for each order of the demo with a Go strategy that uses OpenTelemetry's SDK for Go."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from support.otlp_receiver import attributes_of, receiving
from support.running import running

TOP = Path(__file__).parents[2]
ORDERS = 326
LIMIT_SECONDS = 250
DATA = "ingenium.ingestor.data.{symbol}"
SIGNAL = "ingenium.strategy.signal"
ORDER = "ingenium.portfolio.order"
EXECUTION = "ingenium.executor.execution"
HOPS = {
    (f"send {DATA}", "csv-ingestor", "ingestor"),
    (f"process {DATA}", "rsi", "strategy"),
    (f"send {SIGNAL}", "rsi", "strategy"),
    (f"process {SIGNAL}", "fixed-quantity", "portfolio"),
    (f"send {ORDER}", "fixed-quantity", "portfolio"),
    (f"process {ORDER}", "paper", "executor"),
    (f"send {EXECUTION}", "paper", "executor"),
    (f"process {EXECUTION}", "fixed-quantity", "portfolio"),
}


@pytest.mark.timeout(400)
def test_each_order_of_the_demo_with_a_go_strategy_has_one_connected_trace(
    go_build: Any, tmp_path: Path
) -> None:
    shutil.copytree(TOP / "examples" / "demo", tmp_path / "examples" / "demo")
    shutil.copytree(TOP / "examples" / "data", tmp_path / "examples" / "data")
    (tmp_path / "examples" / "go" / "bin").mkdir(parents=True)
    shutil.copy(go_build("examples/go/traced"), tmp_path / "examples" / "go" / "bin" / "traced")
    app = "examples/demo/app.py:go_traced"
    with receiving() as received:
        # History is faster than any market: room for all spans, so that none is dropped.
        on = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_BSP_MAX_QUEUE_SIZE": "100000",
        }
        with running("run", app, "--processes", "--json", cwd=tmp_path, env=on) as run:
            ended = run.wait(LIMIT_SECONDS)
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["counts"]["orders"] == ORDERS
    spans = {span.span_id: span for span in received.spans}
    assert len(spans) == len(received.spans)
    traces: dict[bytes, list[Span]] = {}
    for span in received.spans:
        traces.setdefault(span.trace_id, []).append(span)
    orders = [span for span in received.spans if span.name == f"send {ORDER}"]
    assert len(orders) == ORDERS
    for order in orders:
        found = traces[order.trace_id]
        ids = {span.span_id for span in found}
        roots = [span for span in found if span.parent_span_id not in ids]
        assert [(root.name, root.parent_span_id) for root in roots] == [(f"send {DATA}", b"")]
        hops = set()
        for span in found:
            attributes = attributes_of(span)
            hops.add((span.name, attributes["ingenium.component"], attributes["ingenium.role"]))
        assert hops == HOPS

"""Checks the traces of the demo with a strategy in another language, which exports its spans."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from opentelemetry.proto.trace.v1.trace_pb2 import Span
from support.otlp_receiver import attributes_of, receiving
from support.running import running

__all__ = ["has_one_trace_for_each_order"]

ORDERS = 326
LIMIT_SECONDS = 250
NAME = "rsi"
DATA = "ingenium.ingestor.data.{symbol}"
SIGNAL = "ingenium.strategy.signal"
ORDER = "ingenium.portfolio.order"
EXECUTION = "ingenium.executor.execution"
HOPS = {
    (f"send {DATA}", "csv-ingestor", "ingestor"),
    (f"process {DATA}", NAME, "strategy"),
    (f"send {SIGNAL}", NAME, "strategy"),
    (f"process {SIGNAL}", "fixed-quantity", "portfolio"),
    (f"send {ORDER}", "fixed-quantity", "portfolio"),
    (f"process {ORDER}", "paper", "executor"),
    (f"send {EXECUTION}", "paper", "executor"),
    (f"process {EXECUTION}", "fixed-quantity", "portfolio"),
}


def has_one_trace_for_each_order(app: str, folder: Path) -> None:
    """Run the demo with a strategy in its own process, and check what a collector receives.

    Args:
        app: The app, with that strategy.
        folder: Where the run works.
    """
    with receiving() as received:
        # History is faster than any market: room for all spans, so that none is dropped.
        on = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_BSP_MAX_QUEUE_SIZE": "100000",
        }
        with running("run", app, "--processes", "--json", cwd=folder, env=on) as run:
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
        _is_connected(traces[order.trace_id])


def _is_connected(found: list[Span]) -> None:
    ids = {span.span_id for span in found}
    roots = [span for span in found if span.parent_span_id not in ids]
    assert [(root.name, root.parent_span_id) for root in roots] == [(f"send {DATA}", b"")]
    hops = set()
    for span in found:
        attributes = attributes_of(span)
        hops.add((span.name, attributes["ingenium.component"], attributes["ingenium.role"]))
        if attributes["ingenium.component"] == NAME:
            event, operation = attributes["messaging.message.id"], span.name.split(" ")[0]
            cause = f"{event}/{NAME}" if operation == "process" else event
            assert span.span_id == hashlib.sha256(f"{operation}{cause}".encode()).digest()[:8]
            kinds = {"process": Span.SPAN_KIND_CONSUMER, "send": Span.SPAN_KIND_PRODUCER}
            assert span.kind == kinds[operation]
            assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
    assert hops == HOPS

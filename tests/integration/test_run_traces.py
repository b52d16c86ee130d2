"""One connected trace for each order, over four processes and a real server."""

from __future__ import annotations

import json
from pathlib import Path

from opentelemetry.proto.trace.v1.trace_pb2 import Span
from support.otlp_receiver import attributes_of, receiving
from support.running import ingenium

BARS = 300
DATA = Path(__file__).parents[2] / "examples" / "data" / "AAPL.csv"
APP = """
from ingenium import App
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import RsiStrategy

app = App(
    name="traced",
    ingestors=[CsvIngestor("AAPL.csv", name="prices")],
    strategies=[RsiStrategy(["AAPL"], name="rsi")],
    portfolio=FixedQuantity(10, name="fixed"),
    executor=PaperExecutor(name="paper"),
)
"""
DATA_SUBJECT = "ingenium.ingestor.data.{symbol}"
SIGNAL = "ingenium.strategy.signal"
ORDER = "ingenium.portfolio.order"
EXECUTION = "ingenium.executor.execution"
HOPS = {
    (f"send {DATA_SUBJECT}", "prices"),
    (f"process {DATA_SUBJECT}", "rsi"),
    (f"send {SIGNAL}", "rsi"),
    (f"process {SIGNAL}", "fixed"),
    (f"send {ORDER}", "fixed"),
    (f"process {ORDER}", "paper"),
    (f"send {EXECUTION}", "paper"),
    (f"process {EXECUTION}", "fixed"),
}


def test_each_order_has_one_connected_trace_and_another_run_adds_no_span(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "AAPL.csv").write_text("".join(DATA.read_text().splitlines(True)[: BARS + 1]))
    with receiving() as received:
        on = {"OTEL_EXPORTER_OTLP_ENDPOINT": received.url}
        first = ingenium("run", "app.py", "--processes", "--json", cwd=tmp_path, env=on)
        once = {each.span_id: each for each in received.spans}
        assert len(once) == len(received.spans)
        # In one process, against a server of its own.
        second = ingenium("run", "app.py", "--json", cwd=tmp_path, env=on)
    assert (first.code, second.code) == (0, 0), first.err + second.err
    result = json.loads(first.out)
    assert result["events_digest"] == json.loads(second.out)["events_digest"]
    traces: dict[bytes, list[Span]] = {}
    for span in once.values():
        traces.setdefault(span.trace_id, []).append(span)
    # Each bar is the root of a trace.
    assert len(traces) == BARS
    orders = [
        (span.trace_id, attributes_of(span)["ingenium.order.id"])
        for span in once.values()
        if span.name == f"send {ORDER}"
    ]
    assert len(orders) == len(set(orders)) == result["counts"]["orders"] > 5
    for trace_id, order_id in orders:
        spans = traces[trace_id]
        ids = {span.span_id for span in spans}
        roots = [span for span in spans if span.parent_span_id not in ids]
        assert [root.name for root in roots] == [f"send {DATA_SUBJECT}"]
        assert not roots[0].parent_span_id
        hops = {(span.name, attributes_of(span)["ingenium.component"]) for span in spans}
        assert hops >= HOPS, order_id
    assert {each.span_id for each in received.spans} == once.keys()
    assert len(received.spans) == 2 * len(once)

"""Traces of a small app in each runner, received by a collector that decodes OTLP.

Two bars. At the first the strategy says long; the portfolio orders; the executor accepts, and fills
at the second bar; the portfolio books both reports. Ids are computed here from the formulas.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from support.otlp_receiver import Received, attributes_of, receiving
from support.replaying import START, replay_on

from ingenium import App, Executor, Ingestor, Middleware, Portfolio, Strategy
from ingenium.backtest.engine import replay_async
from ingenium.bus import MemoryBus
from ingenium.bus.base import Message
from ingenium.bus.stream import MemoryStream
from ingenium.components import RunnerKind, arm
from ingenium.errors import ComponentError
from ingenium.events import ExecutionEvent, OrderEvent, Signal, SignalEvent
from ingenium.risk import RiskLimits
from ingenium.runtime.app_telemetry import observed
from ingenium.runtime.dispatch import Dispatcher
from ingenium.runtime.durable import DurableRunner, Store
from ingenium.runtime.live import LiveRunner
from ingenium.runtime.trace_middleware import TraceMiddleware
from ingenium.telemetry.otel_export import OtelExport
from ingenium.testing import data_event, wait_until
from ingenium.trading import Bar

RUNNERS = ("backtest", "replay", "live", "durable")
DATA = "ingenium.ingestor.data.{symbol}"
SIGNAL = "ingenium.strategy.signal"
ORDER = "ingenium.portfolio.order"
EXECUTION = "ingenium.executor.execution"


def sha(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


class Source(Ingestor):
    def bars(self) -> Iterator[Bar]:
        for day in range(2):
            yield Bar.make(
                "AAPL", START + timedelta(days=day), open="1", high="1", low="1", close="1",
                volume="1", period=timedelta(days=1),
            )  # fmt: skip


class History(Source):
    def read_bars(self) -> Iterator[Bar]:
        return self.bars()


class Feed(Source):
    """Sends the second bar when the executor has the order, as a market does: later."""

    def __init__(self, ready: asyncio.Event) -> None:
        super().__init__(name="source")
        self.ready = ready

    async def ingest(self) -> None:
        first, second = self.bars()
        self.send_data(first.event)
        await self.ready.wait()
        self.send_data(second.event)
        await asyncio.Event().wait()


class Speaker(Strategy):
    bars = 0

    def on_bar(self, bar: Bar) -> None:
        self.bars += 1
        if self.bars == 1:
            self.send_signal(bar.symbol, Signal.LONG)


class Trader(Portfolio):
    booked = 0

    def on_signal(self, event: SignalEvent) -> None:
        self.send_order(event.symbol, "buy", 1)

    def on_execution(self, event: ExecutionEvent) -> None:
        self.booked += 1


class Market(Executor):
    def __init__(self, ready: asyncio.Event) -> None:
        super().__init__(name="market")
        self.ready = ready
        self.order: OrderEvent | None = None
        self.order_id = ""

    def on_order(self, event: OrderEvent) -> None:
        self.order, self.order_id = event, event.id
        self._report(event, "new")
        self.ready.set()

    def on_bar(self, bar: Bar) -> None:
        order = self.order
        if order is not None and bar.start > START:
            self.order = None
            self._report(order, "filled", quantity="1", price="1", side="buy")

    def _report(self, order: OrderEvent, update: str, **fields: Any) -> None:
        self.send_execution(
            ExecutionEvent(order_id=order.id, symbol=order.symbol, update=update, **fields)
        )


@dataclass
class Ids(Middleware):
    """Writes down the ids of what is sent, by type and order of sending."""

    sent: dict[str, list[str]] = field(default_factory=dict)

    def after(self, handling, outcome) -> None:
        for event in outcome.events:
            self.sent.setdefault(type(event).__name__, []).append(event.id)
        event = handling.event
        if event is not None and type(event).__name__ == "DataEvent":
            known = self.sent.setdefault("DataEvent", [])
            if event.id not in known:
                known.append(event.id)


@dataclass
class Parts:
    runner: str
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    ids: Ids = field(default_factory=Ids)

    def __post_init__(self) -> None:
        is_live = self.runner in ("live", "durable")
        self.ingestor = Feed(self.ready) if is_live else History(name="source")
        self.strategy = Speaker(name="speaker")
        self.portfolio = Trader(name="trader")
        self.executor = Market(self.ready)

    def app(self) -> App:
        return App(
            ingestors=[self.ingestor],
            strategies=[self.strategy],
            portfolio=self.portfolio,
            executor=self.executor,
            middleware=[self.ids],
        )


async def run(parts: Parts, app: App) -> list[Message]:
    """Run an app; return the messages of its events, which a backtest has none of."""
    if parts.runner == "backtest":
        result = await replay_async(app)
        assert result.problems == ()
        return []
    bus, messages = MemoryBus(), []
    await bus.subscribe("ingenium.>", messages.append)
    if parts.runner == "replay":
        result = await replay_on(bus, app)
        assert result.problems == ()
        return messages
    for each in (parts.portfolio, parts.executor):
        arm(each, RiskLimits(price_collar=None))
    stream = MemoryStream("INGENIUM")
    async with AsyncExitStack() as stack:
        for component in reversed(app.components):
            member: LiveRunner | DurableRunner
            member = LiveRunner(bus, component, middleware=app.middleware)
            if parts.runner == "durable" and component is not parts.ingestor:
                store = Store(sqlite3.connect(":memory:"))
                member = DurableRunner(bus, stream, component, store, middleware=app.middleware)
            await member.start()
            stack.push_async_callback(stop, member, asyncio.create_task(member.run()))
        await wait_until(
            lambda: parts.portfolio.booked == 2 and parts.strategy.bars == 2, what="the fill"
        )
    return messages + [each.message for each in stream._records]


async def stop(member, task) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await member.stop()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    with receiving() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        yield received


ENVIRONMENT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "set by the fixture"}


@pytest.fixture
def export(collector: Received) -> Iterator[OtelExport]:
    export = OtelExport(ENVIRONMENT, "tested")
    yield export
    export.close()


def play(runner: str) -> tuple[Parts, list[Message]]:
    parts = Parts(runner)
    app = parts.app()
    with observed(app, ENVIRONMENT):
        messages = asyncio.run(run(parts, app))
    return parts, messages


def rows_of(spans: Sequence[Span]) -> dict[bytes, tuple[bytes, bytes, str, str]]:
    """Return trace, parent, name and component of each span, by its id."""
    return {
        span.span_id: (
            span.trace_id,
            span.parent_span_id,
            span.name,
            attributes_of(span).get("ingenium.component", ""),
        )
        for span in spans
    }


@pytest.mark.parametrize("runner", RUNNERS)
def test_spans_from_bar_to_booking_are_one_trace(runner: str, collector: Received) -> None:
    parts, messages = play(runner)
    [first, second] = parts.ids.sent["DataEvent"]
    [signal], [order] = parts.ids.sent["SignalEvent"], parts.ids.sent["OrderEvent"]
    [new, filled] = parts.ids.sent["ExecutionEvent"]
    trace, other = sha(f"trace{first}")[:16], sha(f"trace{second}")[:16]

    def sent(identifier: str) -> bytes:
        return sha(f"send{identifier}")[:8]

    def handled(identifier: str, component: str) -> bytes:
        return sha(f"process{identifier}/{component}")[:8]

    # In a backtest an ingestor publishes nothing; the first handler that acts on a bar begins.
    source = "" if runner == "backtest" else "source"
    wanted = {
        sent(first): (trace, b"", f"send {DATA}", source),
        handled(first, "speaker"): (trace, sent(first), f"process {DATA}", "speaker"),
        sent(signal): (trace, handled(first, "speaker"), f"send {SIGNAL}", "speaker"),
        handled(signal, "trader"): (trace, sent(signal), f"process {SIGNAL}", "trader"),
        sent(order): (trace, handled(signal, "trader"), f"send {ORDER}", "trader"),
        handled(order, "market"): (trace, sent(order), f"process {ORDER}", "market"),
        sent(new): (trace, handled(order, "market"), f"send {EXECUTION}", "market"),
        handled(new, "trader"): (trace, sent(new), f"process {EXECUTION}", "trader"),
        sent(second): (other, b"", f"send {DATA}", source),
        handled(second, "market"): (other, sent(second), f"process {DATA}", "market"),
        # The fill belongs to the order, whose bar it is not.
        sent(filled): (trace, handled(order, "market"), f"send {EXECUTION}", "market"),
        handled(filled, "trader"): (trace, sent(filled), f"process {EXECUTION}", "trader"),
    }
    assert len(collector.spans) == len(wanted)
    assert rows_of(collector.spans) == wanted
    [fill] = [span for span in collector.spans if span.span_id == sent(filled)]
    assert [(link.trace_id, link.span_id) for link in fill.links] == [
        (other, handled(second, "market"))
    ]
    assert attributes_of(fill)["ingenium.order.state"] == "filled"
    assert attributes_of(fill)["ingenium.order.id"] == order
    assert collector.services == {"app"}
    assert collector.schemas == {"https://opentelemetry.io/schemas/1.44.0"}
    kinds = {span.name.split()[0]: span.kind for span in collector.spans}
    assert kinds == {"send": Span.SPAN_KIND_PRODUCER, "process": Span.SPAN_KIND_CONSUMER}
    systems = {attributes_of(span).get("messaging.system") for span in collector.spans}
    assert systems == {None if runner == "backtest" else "nats"}
    headers = {
        message.headers["Nats-Msg-Id"]: message.headers["traceparent"]
        for message in messages
        if "Nats-Msg-Id" in message.headers
    }
    if runner != "backtest":
        assert headers == {
            each: f"00-{in_trace.hex()}-{sent(each).hex()}-01"
            for each, in_trace in (
                (first, trace), (second, other), (signal, trace), (order, trace), (new, trace),
                (filled, trace),
            )
        }  # fmt: skip


@pytest.mark.parametrize("runner", ["backtest", "replay"])
def test_repeated_run_gives_the_same_spans(runner: str, collector: Received) -> None:
    play(runner)
    once = rows_of(collector.spans)
    play(runner)
    assert len(once) == 12
    assert len(collector.spans) == 2 * len(once)
    assert rows_of(collector.spans) == once


async def test_events_digest_is_the_same_with_traces(export: OtelExport) -> None:
    off, on = Parts("backtest").app(), Parts("backtest").app()
    on.middleware = (TraceMiddleware(export), *on.middleware)
    plain, traced_ = await replay_async(off), await replay_async(on)
    assert traced_.events_digest == plain.events_digest
    replayed = Parts("replay").app()
    replayed.middleware = (TraceMiddleware(export), *replayed.middleware)
    assert (await replay_on(MemoryBus(), replayed)).events_digest == plain.events_digest


def test_runs_without_the_variables_make_no_spans_and_no_headers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = Parts("replay")
    app = parts.app()
    with observed(app, {"OTEL_SERVICE_NAME": "unused", "OTEL_TRACES_SAMPLER": "always_on"}):
        assert app.middleware == (parts.ids,)
        messages = asyncio.run(run(parts, app))
    assert messages
    assert not [each for each in messages if "traceparent" in each.headers]


class Failing(Speaker):
    def on_bar(self, bar: Bar) -> None:
        raise ValueError(f"no price for {bar.symbol}")


async def handle(tracing: TraceMiddleware, component, event, kind=RunnerKind.LIVE, headers=None):
    message = Message("ingenium.ingestor.data.aapl", b"", headers or {})
    return await Dispatcher(component, [tracing], kind).handle(event, START, message=message)


async def test_span_of_a_failed_handler_has_the_error(
    collector: Received, export: OtelExport
) -> None:
    with pytest.raises(ComponentError):
        await handle(TraceMiddleware(export), Failing(name="speaker"), data_event(id="data_1"))
    export.close()
    [span] = collector.spans
    assert span.span_id == sha("processdata_1/speaker")[:8]
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert span.status.message == "no price for AAPL"
    assert attributes_of(span)["error.type"] == "ValueError"
    [event] = span.events
    assert event.name == "exception"
    assert attributes_of(event) == {
        "exception.type": "ValueError",
        "exception.message": "no price for AAPL",
    }


class Idle(Strategy):
    def on_bar(self, bar: Bar) -> None:
        pass


@pytest.mark.parametrize(("seconds", "spans"), [(0.0, 1), (3600.0, 0)], ids=["slow", "fast"])
async def test_handling_of_a_bar_that_sends_nothing_has_a_span_only_when_slow(
    collector: Received, export: OtelExport, seconds: float, spans: int
) -> None:
    tracing = TraceMiddleware(export, slow_seconds=seconds)
    assert await handle(tracing, Idle(name="idle"), data_event(id="data_1")) == []
    export.close()
    assert len(collector.spans) == spans
    for span in collector.spans:
        assert span.start_time_unix_nano <= span.end_time_unix_nano
        assert abs(span.end_time_unix_nano - time.time_ns()) < 60 * 10**9


async def test_warm_up_has_no_spans(collector: Received, export: OtelExport) -> None:
    tracing = TraceMiddleware(export)
    sent = await handle(tracing, Speaker(name="s"), data_event(id="data_1"), RunnerKind.WARM_UP)
    export.close()
    assert len(sent) == 1
    assert collector.spans == []


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize("flags", ["00", "01"])
async def test_received_context_decides_trace_parent_and_sampling(
    collector: Received, export: OtelExport, flags: str
) -> None:
    tracing, speaker = TraceMiddleware(export), Speaker(name="speaker")
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-{flags}"}
    [signal] = await handle(tracing, speaker, data_event(id="data_1"), headers=headers)
    export.close()
    spans = {span.span_id: span for span in collector.spans}
    assert {span.trace_id.hex() for span in spans.values()} == ({TRACE} if flags == "01" else set())
    handled, sent = sha("processdata_1/speaker")[:8], sha(f"send{signal.id}")[:8]
    if flags == "01":
        assert spans[handled].parent_span_id.hex() == SPAN
        assert spans[sent].parent_span_id == handled
    # The decision goes on also where nothing is exported, and then with the span that is.
    parent = sent.hex() if flags == "01" else SPAN
    assert tracing.on_publish(speaker, signal) == {"traceparent": f"00-{TRACE}-{parent}-{flags}"}


@pytest.mark.parametrize("keeps_failures", [False, True])
async def test_failure_in_a_trace_that_is_not_sampled_has_a_span_if_failures_are_kept(
    collector: Received, export: OtelExport, keeps_failures: bool
) -> None:
    tracing = TraceMiddleware(export, keeps_failures=keeps_failures)
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-00"}
    with pytest.raises(ComponentError):
        await handle(tracing, Failing(name="speaker"), data_event(id="d"), headers=headers)
    [signal] = await handle(tracing, Speaker(name="s"), data_event(id="e"), headers=headers)
    export.close()
    found = [(span.span_id, span.parent_span_id.hex()) for span in collector.spans]
    assert found == ([(sha("processd/speaker")[:8], SPAN)] if keeps_failures else [])
    assert tracing.on_publish(Speaker(name="s"), signal)["traceparent"].endswith("-00")


async def test_execution_of_a_sampled_order_is_in_its_trace_whatever_filled_it(
    collector: Received, export: OtelExport
) -> None:
    """The order is in a sampled trace, and the bar that fills it in one that is not."""
    tracing, market = TraceMiddleware(export), Market(asyncio.Event())
    order = OrderEvent(id="order_1", symbol="AAPL", side="buy", quantity="1", type="market")
    sampled = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
    await handle(tracing, market, order, headers=sampled)
    bar = Bar.make(
        "AAPL", START + timedelta(days=1), open="1", high="1", low="1", close="1", volume="1",
        period=timedelta(days=1),
    )  # fmt: skip
    other = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-00"}
    [filled] = await handle(tracing, market, bar.event, headers=other)
    export.close()
    spans = {span.span_id: span for span in collector.spans}
    fill = spans[sha(f"send{filled.id}")[:8]]
    assert (fill.trace_id.hex(), fill.parent_span_id) == (TRACE, sha("processorder_1/market")[:8])
    assert (len(fill.links), len(spans)) == (0, 3)
    assert abs(fill.end_time_unix_nano - time.time_ns()) < 60 * 10**9


async def test_malformed_header_is_as_none(collector: Received, export: OtelExport) -> None:
    headers = {"traceparent": "forged\tnonsense"}
    await handle(TraceMiddleware(export), Speaker(name="s"), data_event(id="d"), headers=headers)
    export.close()
    assert {span.trace_id for span in collector.spans} == {sha("traced")[:16]}


async def test_sampling_follows_from_the_trace_id(
    collector: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
    export = OtelExport(ENVIRONMENT, "tested")
    tracing = TraceMiddleware(export, slow_seconds=0.0)
    ids = [f"data_{number}" for number in range(200)]
    for each in ids:
        await handle(tracing, Idle(name="idle"), data_event(id=each))
    export.close()
    # The ratio's rule of the specification: the lower eight bytes as a number below the bound.
    sampled = {
        digest[:16] for digest in (sha(f"trace{each}") for each in ids)
        if int.from_bytes(digest[8:16], "big") < 2**64 // 4
    }  # fmt: skip
    assert 20 < len(sampled) < 80
    assert Counter(span.trace_id for span in collector.spans) == dict.fromkeys(sampled, 1)


async def test_event_without_an_id_is_named_by_its_content(
    collector: Received, export: OtelExport
) -> None:
    tracing = TraceMiddleware(export, slow_seconds=0.0)
    for name in ("one", "two"):
        await handle(tracing, Idle(name=name), data_event(id=""))
    await handle(tracing, Idle(name="one"), data_event("MSFT", id=""))
    export.close()
    traces = [span.trace_id for span in collector.spans]
    assert traces[0] == traces[1] != traces[2]

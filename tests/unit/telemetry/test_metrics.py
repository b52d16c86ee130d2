"""Metrics against counted truth, and their text against one written by hand."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.replaying import START as NOW
from support.replaying import make_app, replay_on

from ingenium import App, Middleware, Strategy
from ingenium.backtest.engine import replay_async
from ingenium.bus import MemoryBus
from ingenium.components import RunnerKind
from ingenium.errors import ComponentError, ConfigError, EventRefusedError
from ingenium.runtime.app_telemetry import observed
from ingenium.runtime.dispatch import Dispatcher
from ingenium.runtime.metrics_middleware import MetricsMiddleware
from ingenium.runtime.replay import ReplayResult
from ingenium.telemetry.metrics import ProcessMetrics
from ingenium.telemetry.prometheus import PrometheusEndpoint, open_endpoint, prometheus_text
from ingenium.testing import data_event
from ingenium.trading import Bar


async def play(runner: str, app: App) -> ReplayResult:
    return await (replay_async(app) if runner == "backtest" else replay_on(MemoryBus(), app))


@pytest.mark.parametrize("runner", ["backtest", "replay"])
async def test_counts_are_those_of_the_event_log(runner: str) -> None:
    metrics, app = ProcessMetrics(), make_app()
    app.middleware = (MetricsMiddleware(metrics),)
    result = await play(runner, app)
    sent, handled = Counter[str](), Counter[str]()
    for (_, kind), count in metrics.sent.values.items():
        sent[kind] += count
    for (_, kind), count in metrics.handled.values.items():
        handled[kind] += count
    wanted = {
        "SignalEvent": result.signals,
        "OrderEvent": result.orders,
        "ExecutionEvent": result.executions,
    }
    assert min(wanted.values()) > 10
    # In a backtest an ingestor publishes nothing.
    assert sent == wanted | ({} if runner == "backtest" else {"DataEvent": result.data})
    del handled["DataEvent"]  # by as many components as want the symbol
    assert handled == wanted
    assert sum(metrics.reports.values.values()) == result.executions
    filled = sum(count for (_, state), count in metrics.reports.values.items() if "fill" in state)
    assert filled == len(result.fills)
    calls = {key: sum(row[:-1]) for key, row in metrics.duration.values.items()}
    assert {key: calls[key] for key in metrics.handled.values} == metrics.handled.values
    assert not metrics.failed.values


class Failing(Strategy):
    def on_bar(self, bar: Bar) -> None:
        raise ValueError("no price")


class Refuse(Middleware):
    def before(self, handling: object) -> None:
        raise EventRefusedError("not today")


async def test_failures_refusals_and_warm_ups() -> None:
    metrics = ProcessMetrics()
    counted, failing = MetricsMiddleware(metrics), Failing(name="failing")
    for _ in range(2):
        with pytest.raises(ComponentError):
            await Dispatcher(failing, [counted]).handle(data_event(id="1"), NOW)
    with pytest.raises(EventRefusedError):
        await Dispatcher(failing, [counted, Refuse()]).handle(data_event(id="1"), NOW)
    with pytest.raises(ComponentError):
        await Dispatcher(failing, [counted], RunnerKind.WARM_UP).handle(data_event(id="1"), NOW)
    assert metrics.failed.values == {("failing", "DataEvent", "ValueError"): 2}
    assert metrics.refused.values == {("failing", "DataEvent"): 1}
    assert metrics.handled.values == {("failing", "DataEvent"): 2}


def test_text_is_that_of_prometheus() -> None:
    metrics = ProcessMetrics()
    for _ in range(3):
        metrics.sent.add("rsi", "SignalEvent")
    metrics.denied.add('a "b"\\\n', "MAX_QUANTITY")
    # At a bound, between two, and above the last one.
    for seconds in (0.001, 0.25, 0.375, 20.0):
        metrics.duration.record(seconds, "rsi", "DataEvent")
    of = 'ingenium_component="rsi",ingenium_event="DataEvent"'
    bounds = {
        "1e-05": 0, "0.0001": 0, "0.001": 1, "0.005": 1, "0.01": 1, "0.025": 1, "0.05": 1,
        "0.1": 1, "0.25": 2, "0.5": 3, "1.0": 3, "2.5": 3, "5.0": 3, "10.0": 3, "+Inf": 4,
    }  # fmt: skip
    lines = [
        "# HELP messaging_client_sent_messages_total Events that components have sent.",
        "# TYPE messaging_client_sent_messages_total counter",
        (
            'messaging_client_sent_messages_total{ingenium_component="rsi",ingenium_event='
            '"SignalEvent"} 3'
        ),
        "# HELP messaging_process_duration_seconds Duration of handlers.",
        "# TYPE messaging_process_duration_seconds histogram",
        *(
            f'messaging_process_duration_seconds_bucket{{{of},le="{bound}"}} {count}'
            for bound, count in bounds.items()
        ),
        f"messaging_process_duration_seconds_sum{{{of}}} 20.626",
        f"messaging_process_duration_seconds_count{{{of}}} 4",
        "# HELP ingenium_order_denials_total Orders that the risk gate has stopped, by reason.",
        "# TYPE ingenium_order_denials_total counter",
        (
            'ingenium_order_denials_total{ingenium_component="a \\"b\\"\\\\\\n",'
            'ingenium_denial_reason="MAX_QUANTITY"} 1'
        ),
    ]
    assert prometheus_text(metrics).splitlines() == lines


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return str(answer.read().decode())


def test_endpoint_serves_an_app_without_opentelemetry(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "ingenium.telemetry.otel_export", raising=False)
    app = make_app()
    environment = {
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_EXPORTER_PROMETHEUS_PORT": str(port),
    }
    with observed(app, environment):
        [middleware] = app.middleware
        assert isinstance(middleware, MetricsMiddleware)
        result = asyncio.run(replay_async(app))
        text = read(f"http://localhost:{port}/metrics")
    found = re.findall(
        r"^messaging_client_sent_messages_total{.*OrderEvent.*} (\d+)$", text, re.MULTILINE
    )
    assert sum(map(int, found)) == result.orders > 10
    assert app.middleware == ()
    with pytest.raises(urllib.error.URLError):
        read(f"http://localhost:{port}/metrics")


@pytest.fixture
def endpoints() -> Iterator[list[PrometheusEndpoint]]:
    opened: list[PrometheusEndpoint] = []
    yield opened
    for each in opened:
        each.close()


def test_second_process_gets_the_next_port(port: int, endpoints: list[PrometheusEndpoint]) -> None:
    first = PrometheusEndpoint("127.0.0.1", port, lambda: "0")
    endpoints.append(first)
    endpoints.append(PrometheusEndpoint("127.0.0.1", port, lambda: "1"))
    assert [read(each.url) for each in endpoints] == ["0", "1"]
    assert endpoints[0].url == f"http://127.0.0.1:{port}/metrics"
    assert endpoints[1].url > endpoints[0].url
    with pytest.raises(urllib.error.HTTPError, match="404"):
        read(endpoints[0].url.removesuffix("metrics"))


@pytest.mark.parametrize("text", ["x", "-1", "70000", "٣"])
def test_invalid_port_is_an_error(text: str) -> None:
    variables = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": text}
    with pytest.raises(ConfigError, match="use a port such as 9464"):
        open_endpoint(variables, ProcessMetrics())


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_METRICS_EXPORTER": "otlp"},
        {"OTEL_METRICS_EXPORTER": "none"},
        {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_nothing_is_served_unless_asked(variables: dict[str, str]) -> None:
    assert open_endpoint(variables, ProcessMetrics()) is None


def test_page_lists_each_metric_with_its_unit() -> None:
    page = (Path(__file__).parents[3] / "docs" / "telemetry.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w.]+)` \| `([\w{}]+)` \|", page, re.MULTILINE)
    assert rows == [(metric.name, metric.unit) for metric in ProcessMetrics().all]

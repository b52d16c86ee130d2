"""When spans are exported, how, and what a missing SDK or a dead collector does."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from support.otlp_receiver import attributes_of, receiving
from support.replaying import make_app
from support.running import ingenium

from ingenium.backtest.engine import replay_async
from ingenium.errors import ConfigError
from ingenium.runtime.app_telemetry import observed
from ingenium.telemetry.open_export import is_asked_for, open_export
from ingenium.telemetry.otel_export import OtelExport
from ingenium.telemetry.spans import FinishedSpan, SpanKind, SpanPattern

DATA = Path(__file__).parents[3] / "examples" / "data" / "AAPL.csv"
APP = """
from ingenium import App
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import RsiStrategy

app = App(
    ingestors=[CsvIngestor("AAPL.csv")],
    strategies=[RsiStrategy(["AAPL"])],
    portfolio=FixedQuantity(10),
    executor=PaperExecutor(),
)
"""


@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "a", "OTEL_TRACES_SAMPLER": "always_on"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://a"}, False),
        ({"OTEL_CONFIG_FILE": "a.yaml"}, True),
        ({"OTEL_CONFIG_FILE": "a.yaml", "OTEL_TRACES_EXPORTER": "none"}, True),
        ({"OTEL_CONFIG_FILE": "a.yaml", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_export_is_asked_for_by_standard_variables(variables: dict[str, str], asked: bool) -> None:
    assert is_asked_for(variables) is asked
    if not asked:
        assert open_export(variables, "app") is None


def test_missing_sdk_is_an_error_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ingenium.telemetry.otel_export")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigError, match=r"pip install 'ingenium\[telemetry\]'"):
        open_export({"OTEL_TRACES_EXPORTER": "otlp"}, "app")


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "pip install opentelemetry-exporter-zipkin"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "smoke"}, "'smoke' is unknown: use http/protobuf or grpc"),
        ({"OTEL_CONFIG_FILE": "/no/such.yaml"}, "'/no/such.yaml' cannot be used"),
    ],
)
def test_invalid_configuration_is_an_error(variables: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        OtelExport(variables, "app")


# A collector that is dead.


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an export give up sooner than by default, yet later than a stop waits for it."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "512")


@pytest.fixture
def silent_url() -> Iterator[str]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def refusing_url() -> str:
    """The address of no server."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"http://127.0.0.1:{port}"


PATTERN = SpanPattern("process x", SpanKind.CONSUMER, {})


def span(number: int) -> FinishedSpan:
    return FinishedSpan(PATTERN, f"{number + 1:032x}", f"{number + 1:016x}", "", 1, 2, {})


@pytest.mark.parametrize("kind", ["silent", "refusing"])
def test_dead_collector_delays_neither_a_handler_nor_the_stop(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
    # More than one queue holds: the rest is dropped.
    export = OtelExport({}, "app")
    slowest = 0.0
    for number in range(5_000):
        began = monotonic()
        export.export(span(number))
        slowest = max(slowest, monotonic() - began)
    assert slowest < 1.0  # a wait for the collector takes four seconds
    began = monotonic()
    export.close()
    assert monotonic() - began < 2.0


def test_stop_waits_once_for_a_collector_of_traces_metrics_and_logs(
    silent_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", silent_url)
    app = make_app()
    with observed(app, {"OTEL_EXPORTER_OTLP_ENDPOINT": silent_url}):
        assert len(app.middleware) == 3
        result = asyncio.run(replay_async(app))
        began = monotonic()
    assert 1.0 < monotonic() - began < 2.0
    assert result.orders > 10


# Whole programs.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "AAPL.csv").write_text("".join(DATA.read_text().splitlines(True)[:120]))
    return tmp_path


def test_backtest_without_the_variables_does_not_import_opentelemetry(folder: Path) -> None:
    code = (
        "import sys\nfrom ingenium.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('imported', [name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "backtest", "app.py"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "OTEL_SERVICE_NAME": "unused"},
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert done.stdout.endswith("imported []\n")


FILE = """
file_format: "1.0"
resource:
  attributes:
    - {{name: service.name, value: from-a-file}}
tracer_provider:
  processors:
    - batch:
        exporter:
          otlp_http:
            endpoint: {}/v1/traces
"""


def test_backtest_exports_as_a_configuration_file_says(folder: Path) -> None:
    with receiving() as received:
        (folder / "otel.yaml").write_text(FILE.format(received.url))
        off = ingenium("backtest", "app.py", "--json", cwd=folder)
        on = ingenium(
            "backtest", "app.py", "--json", cwd=folder, env={"OTEL_CONFIG_FILE": "otel.yaml"}
        )
    assert (off.code, on.code, on.err) == (0, 0, off.err)
    assert on.out == off.out
    assert received.services == {"from-a-file"}
    sent = [attributes_of(each) for each in received.spans if each.name.startswith("send")]
    executions = [each for each in sent if "ingenium.order.state" in each]
    assert executions

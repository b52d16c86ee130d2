"""Metrics as Prometheus reads them, over HTTP and without OpenTelemetry."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Thread

from ingenium.errors import ConfigError
from ingenium.telemetry.metrics import (
    BOUNDS,
    CounterMetric,
    GaugeMetric,
    HistogramMetric,
    ProcessMetrics,
)

__all__ = [
    "PrometheusEndpoint",
    "asks_for_prometheus",
    "open_endpoint",
    "prometheus_name",
    "prometheus_text",
]

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_HOST = "OTEL_EXPORTER_PROMETHEUS_HOST"
_PORT = "OTEL_EXPORTER_PROMETHEUS_PORT"
_FIRST_PORT = 9464
_PORTS = 64
"""Ports that are tried, since each process of an app has an endpoint of its own."""

_log = logging.getLogger("ingenium.telemetry")


def prometheus_text(metrics: ProcessMetrics) -> str:
    """Return metrics in the text format of Prometheus.

    References:
        https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    lines: list[str] = []
    for metric in metrics.all:
        if not metric.values:
            continue
        name = prometheus_name(metric)
        # Copies, since the event loop adds to the originals meanwhile.
        if isinstance(metric, CounterMetric):
            _begin(lines, name, metric.description, "counter")
            lines += [
                f"{name}{_labels(metric, key)} {value}"
                for key, value in sorted(metric.values.items())
            ]
        elif isinstance(metric, GaugeMetric):
            _begin(lines, name, metric.description, "gauge")
            lines += [
                f"{name}{_labels(metric, key)} {value!r}"
                for key, value in sorted(metric.values.items())
            ]
        else:
            _begin(lines, name, metric.description, "histogram")
            for key, row in sorted(metric.values.items()):
                *counts, total = list(row)
                count = 0
                for bound, each in zip((*map(str, BOUNDS), "+Inf"), counts, strict=True):
                    count += int(each)
                    lines.append(f"{name}_bucket{_labels(metric, key, bound)} {count}")
                lines.append(f"{name}_sum{_labels(metric, key)} {total!r}")
                lines.append(f"{name}_count{_labels(metric, key)} {count}")
    return "".join(f"{line}\n" for line in lines)


def prometheus_name(metric: CounterMetric | GaugeMetric | HistogramMetric) -> str:
    """Return the name of a metric in the text, with the suffix of its unit or kind."""
    name = metric.name.replace(".", "_")
    if metric.unit == "s":
        name += "_seconds"
    return f"{name}_total" if isinstance(metric, CounterMetric) else name


def _begin(lines: list[str], name: str, description: str, kind: str) -> None:
    lines += [f"# HELP {name} {description}", f"# TYPE {name} {kind}"]


def _labels(
    metric: CounterMetric | GaugeMetric | HistogramMetric, values: tuple[str, ...], bound: str = ""
) -> str:
    pairs = [
        (name.replace(".", "_"), value)
        for name, value in zip(metric.attributes, values, strict=True)
    ]
    if bound:
        pairs.append(("le", bound))
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


class PrometheusEndpoint:
    """Serves a text at ``/metrics``, in a thread of its own.

    Args:
        host: Address to listen on.
        port: First port to try; the next ones follow if it is taken. Any free port for 0.
        text: Returns the text; called in the thread.

    Attributes:
        url: URL of the text.

    Raises:
        ConfigError: No port is free, or the address is not of this machine.
    """

    def __init__(self, host: str, port: int, text: Callable[[], str]) -> None:
        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.partition("?")[0] != "/metrics":
                    self.send_error(404)
                    return
                body = text().encode()
                self.send_response(200)
                self.send_header("Content-Type", _CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_args: object) -> None:
                """Log nothing: Prometheus sends a request every few seconds."""

        self._server = _listening(host, port, Page)
        self.url = f"http://{host}:{self._server.server_port}/metrics"
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop to serve."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    # A second process must not share the port, as it could with the library's default.
    allow_reuse_address = False
    daemon_threads = True

    def server_bind(self) -> None:
        # That of the base class asks the DNS for the name of the address.
        TCPServer.server_bind(self)
        self.server_name = str(self.server_address[0])
        self.server_port = self.server_address[1]


def _listening(host: str, port: int, page: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    problem: OSError | None = None
    for each in range(port, port + (_PORTS if port else 1)):
        try:
            return _Server((host, each), page)
        except OSError as error:
            problem = error
    raise ConfigError(
        f"metrics cannot be served at {host}:{port}: {problem}: set {_HOST} and {_PORT}"
    )


def open_endpoint(
    environment: Mapping[str, str], metrics: ProcessMetrics
) -> PrometheusEndpoint | None:
    """Serve metrics, if ``OTEL_METRICS_EXPORTER`` names ``prometheus``.

    Args:
        environment: Variables of the process.
        metrics: The metrics.

    Returns:
        The endpoint, to be closed at the end; ``None`` if none is asked for.

    Raises:
        ConfigError: The port is invalid, or no port is free.
    """
    if not asks_for_prometheus(environment):
        return None
    text = environment.get(_PORT, "").strip() or str(_FIRST_PORT)
    if not (text.isascii() and text.isdigit() and int(text) < 65_536 - _PORTS):
        raise ConfigError(f"{_PORT} is {text!r}: use a port such as {_FIRST_PORT}")
    host = environment.get(_HOST, "").strip() or "localhost"
    endpoint = PrometheusEndpoint(host, int(text), lambda: prometheus_text(metrics))
    _log.info("metrics are at %s", endpoint.url)
    return endpoint


def asks_for_prometheus(environment: Mapping[str, str]) -> bool:
    """Return whether variables ask for the endpoint."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = environment.get("OTEL_METRICS_EXPORTER", "").split(",")
    return "prometheus" in [each.strip() for each in exporters]

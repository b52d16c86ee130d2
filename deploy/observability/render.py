"""Writes the Grafana dashboard and the Prometheus alert rules, from the registry of metrics.

``python deploy/observability/render.py`` writes both files beside this one; with ``--check`` it
writes nothing, and ends with code 1 if one differs.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingenium.telemetry.metrics import CounterMetric, GaugeMetric, HistogramMetric, ProcessMetrics
from ingenium.telemetry.prometheus import prometheus_name

__all__ = ["ALERTS", "Alert", "dashboard", "main", "rules"]

HERE = Path(__file__).parent
DASHBOARD, RULES = HERE / "dashboard.json", HERE / "rules.yml"

Metric = CounterMetric | GaugeMetric | HistogramMetric

_UNITS = {"s": "s", "{currency}": "none", "1": "none"}
"""Units of Grafana; others are counts."""
_COLUMNS, _WIDTH, _HEIGHT = 3, 8, 8
_DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Alert:
    """An alert rule.

    Attributes:
        name: Its name.
        expression: PromQL; true while there is something to report.
        wait: How long that has to last, ``"1m"``.
        severity: ``"critical"`` for what may lose money now, else ``"warning"``.
        summary: One line, with labels.
        cure: What to do first.
    """

    name: str
    expression: str
    wait: str
    severity: str
    summary: str
    cure: str


def _rise(name: str, labels: str = "", minutes: int = 5) -> str:
    """Return an expression for a counter that has grown.

    A counter appears with its first event, which ``increase`` does not see.
    """
    series = f"{name}{{{labels}}}" if labels else name
    return (
        f"(({series} unless {series} offset {minutes}m) > 0) "
        f"or (increase({series}[{minutes}m]) > 0)"
    )


_M = ProcessMetrics()
_INCIDENTS = prometheus_name(_M.incidents)
_WHO = "{{ $labels.ingenium_component }}"

ALERTS = (
    Alert(
        "IngeniumHalted",
        f"{prometheus_name(_M.trading)} == 2",
        "30s",
        "critical",
        f"trading is halted, says {_WHO}",
        "ingenium status shows the reason; ingenium resume releases it",
    ),
    Alert(
        "IngeniumReducing",
        f"{prometheus_name(_M.trading)} == 1",
        "1m",
        "warning",
        f"{_WHO} sends only orders that reduce positions",
        "ingenium status shows the reason; ingenium resume releases it",
    ),
    Alert(
        "IngeniumExitDenied",
        _rise(_INCIDENTS, 'ingenium_incident_kind="exit_denied"'),
        "0s",
        "critical",
        "an order that would have closed a position was not sent",
        "ingenium status names the symbol and the reason",
    ),
    Alert(
        "IngeniumOrderUnknown",
        f'{prometheus_name(_M.working)}{{ingenium_order_state="unknown"}} > 0',
        "1m",
        "critical",
        f"the broker has not told {_WHO} what became of an order",
        "compare with the broker: ingenium verify APP",
    ),
    Alert(
        "IngeniumOrderRejected",
        _rise(prometheus_name(_M.reports), 'ingenium_order_state="rejected"'),
        "0s",
        "warning",
        f"{_WHO} has rejected orders",
        "the report's reason is in ingenium tap and in a recording",
    ),
    Alert(
        "IngeniumDenials",
        f"sum by (job, ingenium_component) (increase({prometheus_name(_M.denied)}[5m])) > 20",
        "0s",
        "warning",
        f"the risk gate of {_WHO} has denied more than 20 orders within 5 minutes",
        "ingenium status lists the reasons",
    ),
    Alert(
        "IngeniumDeadLetters",
        _rise(prometheus_name(_M.dead_letters)),
        "0s",
        "warning",
        f"{_WHO} could not read or handle messages",
        "ingenium deadletters, then ingenium deadletters resend",
    ),
    Alert(
        "IngeniumHandlerFailures",
        _rise(prometheus_name(_M.failed)),
        "0s",
        "warning",
        f"a handler of {_WHO} has raised {{{{ $labels.error_type }}}}",
        "its log has the lines of the code",
    ),
    Alert(
        "IngeniumGap",
        _rise(_INCIDENTS, 'ingenium_incident_kind="gap"'),
        "0s",
        "warning",
        "messages may have been missed",
        "the log names the component, the stream and the interval",
    ),
    Alert(
        "IngeniumDisconnected",
        f'increase({_INCIDENTS}{{ingenium_incident_kind="reconnected"}}[10m]) > 3',
        "0s",
        "warning",
        "a process has lost its server more than three times within 10 minutes",
        "ingenium doctor, then the server's log",
    ),
    Alert(
        "IngeniumBehind",
        f"{prometheus_name(_M.lag)} > 10",
        "30s",
        "critical",
        f"{_WHO} is {{{{ $value }}}} s behind; events older than 30 s lead to no order",
        "ingenium status shows what is being handled",
    ),
    Alert(
        "IngeniumOutboxStuck",
        f"min_over_time({prometheus_name(_M.outbox)}[1m]) > 0",
        "1m",
        "critical",
        f"messages of {_WHO} do not get through to the server",
        "ingenium doctor",
    ),
    Alert(
        "IngeniumSlowOrders",
        "histogram_quantile(0.99, sum by (le, job, ingenium_component) (rate("
        f'{prometheus_name(_M.latency)}_bucket{{ingenium_stage="bar_to_order"}}[5m]))) > 5',
        "5m",
        "warning",
        f"1 % of the orders of {_WHO} leave more than 5 s after their bar",
        "compare messaging_process_duration_seconds of the strategy and the portfolio",
    ),
    Alert(
        "IngeniumRecorderBehind",
        f"{prometheus_name(_M.recorder_lag)} > 60",
        "2m",
        "warning",
        "the recorder is {{ $value }} s behind on {{ $labels.ingenium_stream }}",
        "a database that is slow or locked; the stream holds what is not written yet",
    ),
    Alert(
        "IngeniumRecorderGap",
        _rise(prometheus_name(_M.recorder_gaps)),
        "0s",
        "warning",
        "messages of {{ $labels.ingenium_stream }} are gone, and not recorded",
        "let the recorder run at all times, or give the stream a higher limit",
    ),
    Alert(
        "IngeniumAbsent",
        f"absent({prometheus_name(_M.handled)})",
        "2m",
        "critical",
        "no component says anything to Prometheus",
        "ingenium status; then the scrape targets",
    ),
)


def rules() -> str:
    """Return the alert rules as YAML."""
    lines = ["# Written by render.py; changes are lost.", "groups:", "  - name: ingenium"]
    lines.append("    rules:")
    for each in ALERTS:
        lines += [
            f"      - alert: {each.name}",
            f"        expr: {_quoted(each.expression)}",
            f"        for: {each.wait}",
            "        labels:",
            f"          severity: {each.severity}",
            "        annotations:",
            f"          summary: {_quoted(each.summary)}",
            f"          cure: {_quoted(each.cure)}",
        ]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def dashboard() -> dict[str, Any]:
    """Return the dashboard in Grafana's format: a panel for each metric, in rows by name."""
    groups: dict[str, list[Metric]] = {}
    for metric in ProcessMetrics().all:
        first, second, *_ = metric.name.split(".")
        title = "events" if first == "messaging" or second == "event" else second
        groups.setdefault(title.replace("_", " "), []).append(metric)
    panels: list[dict[str, Any]] = []
    top = 0
    for title, metrics in groups.items():
        place = {"h": 1, "w": _COLUMNS * _WIDTH, "x": 0, "y": top}
        panels.append({"id": len(panels) + 1, "type": "row", "title": title, "gridPos": place})
        top += 1
        for number, metric in enumerate(metrics):
            row, column = divmod(number, _COLUMNS)
            place = {
                "h": _HEIGHT,
                "w": _WIDTH,
                "x": column * _WIDTH,
                "y": top + row * _HEIGHT,
            }
            panels.append(_panel(metric, len(panels) + 1, place))
        top += (len(metrics) + _COLUMNS - 1) // _COLUMNS * _HEIGHT
    return {
        "uid": "ingenium",
        "title": "Ingenium",
        "tags": ["ingenium"],
        "schemaVersion": 39,
        "timezone": "utc",
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]
        },
        "panels": panels,
    }


def _panel(metric: Metric, number: int, place: dict[str, int]) -> dict[str, Any]:
    labels = [name.replace(".", "_") for name in metric.attributes]
    legend = " ".join(f"{{{{{label}}}}}" for label in labels)
    # The job is the app: two apps may have components of one name.
    by, name = ", ".join(["job", *labels]), prometheus_name(metric)
    unit = _UNITS.get(metric.unit, "short")
    if isinstance(metric, HistogramMetric):
        rate = f"sum by (le, {by}) (rate({name}_bucket[$__rate_interval]))"
        queries = [
            (f"histogram_quantile({share}, {rate})", f"{legend} {text}")
            for share, text in ((0.5, "median"), (0.99, "99 %"))
        ]
    elif isinstance(metric, CounterMetric):
        queries = [(f"sum by ({by}) (rate({name}[$__rate_interval]))", legend)]
        unit = "cps"
    else:
        queries = [(f"max by ({by}) ({name})", legend)]
    return {
        "id": number,
        "type": "timeseries",
        "title": metric.name,
        "description": metric.description,
        "datasource": _DATA_SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": expression, "legendFormat": text}
            for index, (expression, text) in enumerate(queries)
        ],
    }


def main(arguments: list[str]) -> int:
    """Write both files, or check them, and return the exit code."""
    wanted = {DASHBOARD: json.dumps(dashboard(), indent=2) + "\n", RULES: rules()}
    code = 0
    for path, text in wanted.items():
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path.name} is not what the metrics say: make generate")
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The dashboard and the alert rules against the metrics of a process, both ways."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingenium.brokers.journal_entry import OrderState
from ingenium.bus.base import IncidentKind
from ingenium.events import TradeUpdate
from ingenium.telemetry.metrics import CounterMetric, GaugeMetric, ProcessMetrics, Stage
from ingenium.telemetry.prometheus import prometheus_text

HERE = Path(__file__).parents[3] / "deploy" / "observability"
DASHBOARD: dict[str, Any] = json.loads((HERE / "dashboard.json").read_text("utf-8"))
RULES: list[dict[str, Any]] = yaml.safe_load((HERE / "rules.yml").read_text("utf-8"))["groups"][0][
    "rules"
]
_NAME = re.compile(r"\b(?:ingenium|messaging)_[a-z_]+")
_LABELS = re.compile(r'([a-z_]+)="([^"]*)"')


def exported() -> dict[str, set[str]]:
    """Return the labels of each sample, by its name, in a text that has all metrics."""
    metrics = ProcessMetrics()
    for metric in metrics.all:
        values = [f"value of {each}" for each in metric.attributes]
        if isinstance(metric, CounterMetric):
            metric.add(*values)
        elif isinstance(metric, GaugeMetric):
            metric.set(1.0, *values)
        else:
            metric.record(1.0, *values)
    found: dict[str, set[str]] = {}
    for line in prometheus_text(metrics).splitlines():
        if not line.startswith("#"):
            name = line.partition("{")[0]
            found.setdefault(name, set()).update(label for label, _ in _LABELS.findall(line))
    return found


def expressions() -> list[str]:
    return [
        target["expr"]
        for panel in DASHBOARD["panels"]
        if panel["type"] != "row"
        for target in panel["targets"]
    ]


def used_in(expression: str) -> set[str]:
    """Return the names of metrics, without labels."""
    bare = re.sub(r"\{[^}]*\}|by \([^)]*\)", "", expression)
    return set(_NAME.findall(bare))


def test_dashboard_has_each_metric_and_no_other() -> None:
    samples = exported()
    shown = {name for each in expressions() for name in used_in(each)}
    # Of a histogram only its buckets are shown.
    wanted = {name for name in samples if not name.endswith(("_sum", "_count"))}
    assert shown == wanted
    assert len(wanted) == len(ProcessMetrics().all)


def test_dashboard_groups_by_the_labels_that_samples_have() -> None:
    samples = exported()
    for expression in expressions():
        [name] = used_in(expression)
        [labels] = re.findall(r"by \(([^)]*)\)", expression)
        # Prometheus adds the job.
        assert set(labels.split(", ")) == samples[name] | {"job"}, expression


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))


def test_alerts_use_metrics_labels_and_values_that_exist() -> None:
    samples = exported()
    values = {
        "ingenium_incident_kind": {each.value for each in IncidentKind},
        "ingenium_order_state": {
            *(each.value for each in OrderState), *(each.value for each in TradeUpdate),
        },
        "ingenium_stage": {each.value for each in Stage},
    }  # fmt: skip
    for rule in RULES:
        names = used_in(rule["expr"])
        assert names, rule["alert"]
        assert names <= samples.keys(), rule["alert"]
        labels = set().union(*(samples[name] for name in names))
        for label, value in _LABELS.findall(rule["expr"]):
            assert label in labels, rule["alert"]
            assert value in values[label], rule["alert"]
        for annotation in rule["annotations"].values():
            assert set(re.findall(r"\$labels\.(\w+)", annotation)) <= labels
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_each_alert_has_a_unit_test_that_fires_and_one_that_does_not() -> None:
    tests = yaml.safe_load((HERE / "rules_test.yml").read_text("utf-8"))["tests"]
    fires, quiet = set(), set()
    for test in tests:
        for each in test["alert_rule_test"]:
            (fires if each["exp_alerts"] else quiet).add(each["alertname"])
    assert fires == quiet == {rule["alert"] for rule in RULES}


def test_files_are_what_the_registry_says(tmp_path: Path) -> None:
    script = HERE / "render.py"
    checked = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (checked.returncode, checked.stdout) == (0, "")
    for path in (script, HERE / "dashboard.json", HERE / "rules.yml"):
        shutil.copy(path, tmp_path)
    copy = tmp_path / "rules.yml"
    copy.write_text(copy.read_text("utf-8").replace("> 10", "> 11"))
    checked = subprocess.run(
        [sys.executable, tmp_path / "render.py", "--check"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert checked.returncode == 1
    assert checked.stdout == "rules.yml is not what the metrics say: make generate\n"


def test_rules_pass_their_unit_tests() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no promtool is on PATH, and CI has to have it")
        pytest.skip("no promtool is on PATH; it is in the package prometheus of Debian")
    for command in (["check", "rules", "rules.yml"], ["test", "rules", "rules_test.yml"]):
        done = subprocess.run(
            [promtool, *command], cwd=HERE, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

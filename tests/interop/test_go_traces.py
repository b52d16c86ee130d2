"""One trace for each order of the demo with a Go strategy that uses OpenTelemetry's SDK for Go."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from support.demo_traces import has_one_trace_for_each_order

TOP = Path(__file__).parents[2]


@pytest.mark.timeout(400)
def test_each_order_of_the_demo_with_a_go_strategy_has_one_connected_trace(
    go_build: Any, tmp_path: Path
) -> None:
    shutil.copytree(TOP / "examples" / "demo", tmp_path / "examples" / "demo")
    shutil.copytree(TOP / "examples" / "data", tmp_path / "examples" / "data")
    (tmp_path / "examples" / "go" / "bin").mkdir(parents=True)
    shutil.copy(go_build("examples/go/traced"), tmp_path / "examples" / "go" / "bin" / "traced")
    has_one_trace_for_each_order("examples/demo/app.py:go_traced", tmp_path)

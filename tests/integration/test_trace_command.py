"""``ingenium trace`` on a live app with accounts: from the record and from the streams."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from support.live_app import APP
from support.running import ingenium, running, until

from ingenium import recorder

HOPS = [
    ("bar", "ticks"),
    ("signal", "turns"),
    ("order", "fixed-quantity"),
    ("execution", "fill-all"),
]


def traced(folder: Path, identifier: str, *options: str) -> dict[str, Any]:
    ended = ingenium("trace", identifier, "--json", *options, cwd=folder)
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


def first_order(url: Path) -> str:
    def fills() -> list[dict[str, Any]]:
        if not url.is_file():
            return []
        with recorder.open(str(url)) as records:
            return list(records.transactions())

    until(lambda: len(fills()) > 3, "fills in the recording")
    order: str = fills()[-1]["order_id"]
    return order


def check(found: dict[str, Any], order: str) -> None:
    hops = found["hops"]
    assert [(hop["event"], hop["component"]) for hop in hops] == HOPS
    assert hops[2]["id"] == order
    assert found["trace_id"] == hashlib.sha256(f"trace{hops[0]['id']}".encode()).hexdigest()[:32]
    assert [hop["parent"] for hop in hops] == [None, *(hop["id"] for hop in hops[:-1])]
    # Telemetry is off, and ids have a secret in them: the stated cause connects.
    assert [hop["link"] for hop in hops] == ["", "cause", "cause", "order"]
    since = [hop["since_bar_seconds"] for hop in hops]
    assert since == sorted(since)
    assert 0 < since[-1] < 30
    assert abs(sum(hop["took_seconds"] or 0 for hop in hops) - since[-1]) < 1e-6


@pytest.mark.timeout(200)
def test_order_of_a_live_app_is_a_tree_from_the_record_and_from_the_streams(
    tmp_path: Path,
) -> None:
    (tmp_path / "app.py").write_text(APP)
    url = tmp_path / ".ingenium" / "live" / "record.db"
    with running("run", "app.py", "--record", "--quiet", cwd=tmp_path) as live:
        live.until_line("is ready")
        order = first_order(url)
        recorded = traced(tmp_path, order)
        check(recorded, order)
        assert recorded["source"] == "the record"
        url.rename(tmp_path / "kept.db")
        held = traced(tmp_path, recorded["hops"][3]["id"], "--app", "live")
        check(held, order)
        assert held["source"].startswith("the streams at ")
        assert [hop["id"] for hop in held["hops"]] == [hop["id"] for hop in recorded["hops"]]
    shown = ingenium("trace", recorded["trace_id"], "--database", "kept.db", cwd=tmp_path)
    assert shown.code == 0, shown.err
    lines = [line.split() for line in shown.out.splitlines()[2:]]
    assert [line[:2] for line in lines] == [
        ["bar", "close"], ["└─", "signal"], ["└─", "order"], ["└─", "execution"],
    ]  # fmt: skip

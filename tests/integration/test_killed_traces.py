"""Components that are killed between two effects, and handle events again, make no second span."""

from __future__ import annotations

import hashlib
import json
import signal
from collections import defaultdict
from pathlib import Path

import pytest
from sqlalchemy import select
from support.live_app import APP
from support.otlp_receiver import attributes_of, receiving
from support.running import running, until

from ingenium import recorder
from ingenium.recorder import schema
from ingenium.recorder.database import Database

# Behind a message that the stream has kept, and before the sender knows: it is sent again.
CRASHES = ("turns/sent:3", "fixed-quantity/sent:3", "fill-all/sent:3")
SENDS = {
    "send ingenium.strategy.signal": "SignalEvent",
    "send ingenium.portfolio.order": "OrderEvent",
    "send ingenium.executor.execution": "ExecutionEvent",
}


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:8]


def fills_in(url: Path) -> int:
    if not url.is_file():
        return 0
    with recorder.open(str(url)) as records:
        return len(records.transactions(limit=10_000))


@pytest.mark.timeout(240)
def test_killed_components_make_no_second_span_for_the_same_work(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    url = tmp_path / ".ingenium" / "live" / "record.db"
    killed = 0
    with receiving() as received:
        on = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
        }
        for crash in (*CRASHES, ""):
            env = on | ({"INGENIUM_CRASH_AT": crash} if crash else {})
            before = fills_in(url)
            with running("run", "app.py", "--record", "--quiet", cwd=tmp_path, env=env) as run:
                if crash:
                    killed += run.wait().code == -signal.SIGKILL
                    continue
                run.until_line("is ready")
                until(lambda before=before: fills_in(url) > before + 3, "it trades on")  # type: ignore[misc]
                run.send(signal.SIGINT)
                assert run.wait().code == 0
    assert killed == len(CRASHES)
    with Database(str(url)).engine.connect() as connection:
        events = connection.execute(select(schema.EVENTS.c.id, schema.EVENTS.c.type)).all()
    sent = defaultdict(set)
    for identifier, kind in events:
        sent[kind].add(digest(f"send{identifier}"))
    works: dict[tuple[str, str, str], set[bytes]] = {}
    for span in received.spans:
        found = attributes_of(span)
        work = (span.name, found.get("messaging.message.id", ""), found["ingenium.component"])
        if work[1]:
            works.setdefault(work, set()).add(span.span_id)
    assert all(len(ids) == 1 for ids in works.values())
    for name, kind in SENDS.items():
        ids = {span.span_id for span in received.spans if span.name == name}
        # A killed process takes with it what it had not exported, and nothing else is missing.
        assert ids <= sent[kind]
        assert len(sent[kind] - ids) <= 4 * len(CRASHES), json.dumps([name, len(ids)])
        assert len(ids) > 6
    for (name, identifier, component), ids in works.items():
        if name.startswith("process"):
            assert ids == {digest(f"process{identifier}/{component}")}

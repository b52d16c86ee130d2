"""An event of a user's own, by the steps of ``docs/your-own-event.md``, taken from its text."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.tools import need_program

from ingenium.nats_server import EmbeddedServer

TOP = Path(__file__).parents[2]
TEXT = (TOP / "docs" / "your-own-event.md").read_text()
FILES = ("buf.yaml", "proto/acme/v1/news.proto", "buf.gen.yaml", "main.go", "read.py")
LIMIT_SECONDS = 30
BINARY = """
import asyncio, os
from datetime import UTC, datetime
from acme_events.acme.v1 import News
import ingenium

async def main():
    async with ingenium.connect(os.environ["NATS_SERVER"]) as bus:
        news = News("AAPL", "Größer <b>", 0.5, datetime(2024, 1, 3, tzinfo=UTC))
        await bus.publish(news, subject="acme.news.aapl")

asyncio.run(main())
"""


@pytest.mark.timeout(300)
def test_event_of_a_users_own_goes_from_go_to_python_and_tap_and_in_binary_form(
    nats_server: EmbeddedServer, tmp_path: Path
) -> None:
    need_program("go")
    for name in FILES:
        found = re.search(
            rf"^`{re.escape(name)}`.*?^```\w+\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE
        )
        assert found, name
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(found[1])
    steps = re.search(r"^```sh\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    assert steps
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("INGENIUM_", "NATS_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = kept | {"NATS_SERVER": nats_server.url, "PATH": path, "PYTHONUNBUFFERED": "1"}
    built = subprocess.run(
        ["sh", "-euc", steps[1]],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr

    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    tap_command = ("-m", "ingenium", "tap", "acme.news.>", "--json", "--count", "1")
    with start("read.py") as reader, start(*tap_command) as tap:
        try:
            assert reader.stdout
            assert reader.stdout.readline() == "ready\n"
            assert tap.stderr
            assert tap.stderr.readline().startswith("listening to acme.news.>")
            subprocess.run([tmp_path / "publish"], env=env, check=True, timeout=LIMIT_SECONDS)
            read, problems = reader.communicate(timeout=LIMIT_SECONDS)
            assert (read, problems) == ("AAPL Größer <b> 0.5 UTC\n", "")
            shown, _ = tap.communicate(timeout=LIMIT_SECONDS)
            line = json.loads(shown)
            assert (line["subject"], line["type"]) == ("acme.news.aapl", None)
            time = line["event"].pop("Timestamp")
            assert line["event"] == {"Symbol": "AAPL", "Headline": "Größer <b>", "Score": 0.5}
            assert datetime.fromisoformat(time).tzinfo == UTC
        finally:
            reader.kill()
            tap.kill()

    (tmp_path / "binary.py").write_text(BINARY)
    with start("read.py") as reader, start(*tap_command) as tap:
        try:
            assert reader.stdout
            assert reader.stdout.readline() == "ready\n"
            assert tap.stderr
            assert tap.stderr.readline().startswith("listening to acme.news.>")
            subprocess.run(
                [sys.executable, "binary.py"],
                cwd=tmp_path,
                env=env | {"INGENIUM_CONTENT_TYPE": "application/protobuf"},
                check=True,
                timeout=LIMIT_SECONDS,
            )
            read, problems = reader.communicate(timeout=LIMIT_SECONDS)
            assert (read, problems) == ("AAPL Größer <b> 0.5 UTC\n", "")
            line = json.loads(tap.communicate(timeout=LIMIT_SECONDS)[0])
            assert line["headers"]["Content-Type"] == "application/protobuf"
            assert base64.b64decode(line["data_base64"]).startswith(b"\n\x04AAPL\x12\x0c")
        finally:
            reader.kill()
            tap.kill()

"""A recorder and its database, killed while streams grow: small here, a million by make."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from chaos.record_run import report, run_record_chaos
from support.postgresql import PostgresServer, find_programs

pytestmark = pytest.mark.timeout(300)

EVENTS, STRIKES = 20_000, 3


async def test_sqlite_recording_of_a_killed_recorder_equals_the_streams(tmp_path: Path) -> None:
    url = str(tmp_path / "record.db")
    outcome = await run_record_chaos(tmp_path, 1, url, events=EVENTS, strikes=STRIKES)
    print("\n".join(report("SQLite", outcome)))
    assert outcome.violations == []
    assert (outcome.kills, outcome.starts) == (STRIKES, STRIKES + 1)


async def test_postgresql_recording_equals_the_streams_when_both_are_killed(tmp_path: Path) -> None:
    if (programs := find_programs()) is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no PostgreSQL is installed, and CI has to have one")
        pytest.skip("no PostgreSQL is installed here")
    database = PostgresServer(programs).start()
    try:
        url = database.make_database("chaos")
        outcome = await run_record_chaos(
            tmp_path, 1, url, database=database, events=EVENTS, strikes=STRIKES
        )
    finally:
        database.stop()
    print("\n".join(report("PostgreSQL", outcome)))
    assert outcome.violations == []
    assert set(outcome.strikes) == {"recorder", "database", "both"}

"""The real portfolio, executor, risk gate and journal, in worlds where everything goes wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from simulation.running import run_seeds
from simulation.world import simulate

from ingenium.components.failpoints import Point

TESTS = Path(__file__).resolve().parents[1]
SEEDS = 2000
FAULTS = [
    "anew",
    "broker outage",
    "bust",
    "careless",
    "disk full",
    "doubled",
    "fills told again",
    "flipped",
    "forged",
    "forgotten",
    "frozen",
    "listed late",
    "lost",
    "outage",
    "rejected",
    "rejected later",
    "reset",
    "slow",
    "tail loss",
    "unanswered",
    "unlisted",
    "update told again",
    "updates reset",
    "word echoed",
]


@pytest.mark.timeout(1200)
def test_many_worlds_heal_with_all_books_equal():
    summary = run_seeds(range(SEEDS))
    print(summary.table())
    assert [(each.seed, each.violations[0]) for each in summary.failed] == []
    counts = summary.counts
    # A run that never crashed somewhere, or never had a fault, would show nothing about it.
    assert [point for point in Point if not counts[f"crash {point}"]] == []
    assert [fault for fault in FAULTS if not counts[f"fault {fault}"]] == []
    assert counts["flipped bits refused"]
    assert counts["flipped bits mended"]
    assert counts["orders"] > SEEDS
    assert counts["fills"] > SEEDS


@pytest.mark.parametrize("seed", [3, 7, 81])
def test_same_seed_gives_the_same_trace(seed):
    lines: list[str] = []
    first = simulate(seed, lines.append)
    assert lines
    assert simulate(seed) == first


def test_same_seed_gives_the_same_trace_whatever_the_hash_seed():
    seeds = [3, 11, 42]
    here = [simulate(seed).digest for seed in seeds]
    program = (
        "from simulation.world import simulate\n"
        f"print(' '.join(simulate(seed).digest for seed in {seeds}))"
    )
    for hash_seed in ("0", "12345"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=TESTS,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == here


def test_different_seeds_give_different_traces():
    assert simulate(1).digest != simulate(2).digest


BANNED = re.compile(
    r"\btime\.(time|monotonic|perf_counter|sleep)\b|\bdatetime\.(now|utcnow|today)\b|"
    r"\bdate\.today\b|^\s*(import|from) (random|secrets|uuid)\b|\buuid\d\(|\bos\.urandom\b|"
    r"\brandom_id\(|^\s*(import|from) threading\b|\bto_thread\(|\brun_in_executor\("
)
# Messages that a person sends follow from nothing, and neither does a secret. Exports of telemetry
# are closed after a run, which no simulated world does.
ALLOWED = {
    "runtime/app_telemetry.py", "runtime/durable/control_publisher.py", "runtime/durable/secret.py",
}  # fmt: skip


def test_nothing_that_is_simulated_looks_at_the_machine():
    package = TESTS.parent / "python/ingenium"
    found = []
    rooms = ("runtime", "runtime/durable", "risk", "components", "brokers", "trading", "portfolios")
    for room in rooms:
        for file in sorted((package / room).glob("*.py")):
            name = f"{room}/{file.name}"
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                if BANNED.search(line) and name not in ALLOWED:
                    found.append(f"{name}:{number}: {line.strip()}")
    assert found == []

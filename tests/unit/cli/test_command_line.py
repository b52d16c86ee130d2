"""The ``ingenium`` command as such: help, version, completion, and output on a full disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.running import ingenium

COMMANDS = (
    "run", "backtest", "sweep", "worker", "tap", "accounts", "protos", "halt", "reduce", "resume",
    "status", "deadletters", "doctor", "verify", "version", "record", "transactions",
    "positions", "pnl", "order", "events", "runs",
)  # fmt: skip


def test_help_lists_every_command_with_one_line_each(tmp_path: Path) -> None:
    short, long = (ingenium(flag, cwd=tmp_path) for flag in ("-h", "--help"))
    assert (short.code, long.code) == (0, 0)
    assert short.out == long.out
    lines = [line.split() for line in short.out.splitlines()]
    for command in COMMANDS:
        [line] = [words for words in lines if words[:1] == [command]]
        assert len(line) > 2


@pytest.mark.parametrize("command", ["run", "backtest", "sweep", "resume"])
def test_help_of_a_command_shows_flags_without_a_value_and_no_markup(
    tmp_path: Path, command: str
) -> None:
    ended = ingenium(command, "-h", cwd=tmp_path, env={"COLUMNS": "80"})
    assert ended.code == 0, ended.err
    assert f"ingenium {command} " in ended.out.splitlines()[0]
    assert "<bool>" not in ended.out
    assert "`" not in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


def test_version_and_completion_are_printed(tmp_path: Path) -> None:
    version = ingenium("--version", cwd=tmp_path)
    assert version.out == ingenium("version", cwd=tmp_path).out
    shown = ingenium("--show-completion", "bash", cwd=tmp_path)
    assert shown.code == 0
    assert "complete" in shown.out


def test_unknown_command_names_the_likely_one(tmp_path: Path) -> None:
    ended = ingenium("backtst", cwd=tmp_path)
    assert ended.code == 2
    assert "backtest" in ended.err


def test_reason_of_a_halt_is_printed_as_it_was_typed(tmp_path: Path) -> None:
    typed = "x :b: [red]y[/red] `z`"
    ingenium("halt", "walk", "--reason", typed, cwd=tmp_path)
    assert typed in ingenium("status", "walk", cwd=tmp_path).out


@pytest.mark.parametrize("command", ["version", "status walk"])
def test_output_on_a_full_disk_is_one_line_of_error(tmp_path: Path, command: str) -> None:
    ingenium("halt", "walk", cwd=tmp_path)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ingenium", *command.split()],
            cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
            env={k: v for k, v in os.environ.items() if not k.startswith(("INGENIUM_", "NATS_"))},
        )  # fmt: skip
    [line] = done.stderr.splitlines()
    assert "No space left on device" in line
    assert done.returncode in (1, 3)

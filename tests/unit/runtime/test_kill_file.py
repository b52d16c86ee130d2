"""The file that halts trading on this machine."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingenium.errors import StoreError
from ingenium.events import TradingState
from ingenium.runtime.durable.kill_file import KillFile, Restriction

SAID = Restriction(
    TradingState.REDUCING, "odd fills", "ann@trader-1", datetime(2026, 1, 2, tzinfo=UTC)
)


def test_file_that_is_not_there_lets_trading_go_on(tmp_path: Path) -> None:
    file = KillFile(tmp_path / "no folder" / "HALT")
    assert file.observe() is None
    assert file.state() is TradingState.ACTIVE
    assert not file.remove()


def test_file_says_what_was_written_to_whoever_looks(tmp_path: Path) -> None:
    watching = KillFile(tmp_path / "app" / "HALT")
    assert watching.observe() is None
    KillFile(tmp_path / "app" / "HALT").write(SAID)
    assert watching.observe() == SAID
    assert watching.state() is TradingState.REDUCING
    assert json.loads(watching.path.read_text()) == {
        "state": "reducing",
        "reason": "odd fills",
        "sender": "ann@trader-1",
        "time": "2026-01-02T00:00:00Z",
    }
    KillFile(watching.path).write(Restriction())
    assert watching.state() is TradingState.HALTED
    assert KillFile(watching.path).remove()
    assert watching.state() is TradingState.ACTIVE
    assert not watching.remove()


@pytest.mark.parametrize(
    "text", ["", "stop!", '{"state":"active"}', '{"state":"later"}', "[1]", "\x00" * 100_000]
)
def test_file_that_makes_no_sense_halts(tmp_path: Path, text: str) -> None:
    path = tmp_path / "HALT"
    path.write_text(text)
    assert KillFile(path).state() is TradingState.HALTED


def test_folder_that_is_none_halts_and_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "app").write_text("a file")
    file = KillFile(tmp_path / "app" / "HALT")
    found = file.observe()
    assert found is not None
    assert found.state is TradingState.HALTED
    assert "cannot look" in found.reason
    with pytest.raises(StoreError, match="cannot write"):
        file.write(SAID)


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.REDUCING])
def test_halt_for_which_the_disk_has_no_room_is_there_without_its_reason(
    tmp_path: Path, state: TradingState
) -> None:
    path = tmp_path / "HALT"
    # The file beside it cannot be written, as on a full disk.
    path.with_name(f"HALT.{os.getpid()}").mkdir()
    with pytest.raises(StoreError, match=f"cannot write {path}: Is a directory") as caught:
        KillFile(path).write(Restriction(state, "odd fills"))
    is_halt = state is TradingState.HALTED
    text = ", so it is there without the reason, and halts all the same"
    assert str(caught.value).endswith(text) == is_halt
    assert KillFile(path).is_there() == is_halt
    assert KillFile(path).state() is (TradingState.HALTED if is_halt else TradingState.ACTIVE)


def test_halt_that_cannot_be_there_at_all_is_not_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "HALT"
    path.mkdir()
    with pytest.raises(StoreError, match=r"cannot write .*: Is a directory$"):
        KillFile(path).write(Restriction())
    assert not KillFile(path).is_there()
    assert not list(tmp_path.glob("HALT.*"))
    with pytest.raises(StoreError, match="cannot remove"):
        KillFile(path).remove()


def test_file_that_was_written_again_is_read_again(tmp_path: Path) -> None:
    file = KillFile(tmp_path / "HALT")
    for reason in ("one", "two"):
        KillFile(file.path).write(Restriction(reason=reason))
        found = file.observe()
        assert found is not None
        assert found.reason == reason
        assert file.observe() is found

"""Files that only their owner may read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingenium.private_files import replace_private


def test_file_is_replaced_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "run.json"
    replace_private(path, b"one")
    with path.open("rb") as reader:
        replace_private(path, b"two")
        # Who has it open reads what was there.
        assert reader.read() == b"one"
    assert path.read_bytes() == b"two"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert list(path.parent.iterdir()) == [path]


def test_file_that_cannot_be_written_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    replace_private(path, b"one")
    (tmp_path / "run.json.part").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace_private(path, b"two")
    assert path.read_bytes() == b"one"

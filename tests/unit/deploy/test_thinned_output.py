"""What a program prints is thinned on the screen and kept whole in a file."""

from __future__ import annotations

from pathlib import Path

from ingenium.deploy.local.program_output import ThinnedOutput


class Screen:
    def __init__(self, path: Path) -> None:
        self.time = 100.0
        self.lines: list[str] = []
        self.output = ThinnedOutput(self._take, path, lambda: self.time)

    def _take(self, name: str, line: str) -> None:
        assert name == "feed"
        self.lines.append(line)

    def print(self, first: int, last: int) -> None:
        for number in range(first, last + 1):
            self.output.line("feed", f"line {number}")


async def test_first_lines_then_ten_a_window_and_a_count_of_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "app" / "feed.out"
    screen = Screen(path)
    screen.print(1, 1000)
    assert screen.lines == [f"line {number}" for number in range(1, 31)]
    screen.time += 5
    screen.print(1001, 1003)
    assert screen.lines[30:] == ["line 1001", "line 1002", "line 1003"]
    screen.output.close("feed")
    assert screen.lines[33:] == [f"... 970 lines left out; all are in {path}"]
    assert path.read_text().splitlines() == [f"line {number}" for number in range(1, 1004)]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_program_that_dies_shows_its_last_lines_and_its_first_ones_anew(
    tmp_path: Path,
) -> None:
    screen = Screen(tmp_path / "feed.out")
    screen.print(1, 100)
    del screen.lines[:]
    screen.output.show_last("feed")
    assert screen.lines[0].startswith("... 70 lines left out; ")
    assert screen.lines[1:] == [f"line {number}" for number in range(91, 101)]
    del screen.lines[:]
    screen.output.begin()
    screen.print(101, 120)
    assert len(screen.lines) == 20
    screen.output.close("feed")
    assert len(screen.lines) == 20


async def test_long_line_is_shown_in_part(tmp_path: Path) -> None:
    screen = Screen(tmp_path / "feed.out")
    screen.output.line("feed", "x" * 70_000)
    assert screen.lines == ["x" * 500 + "... (70,000 characters)"]
    assert (tmp_path / "feed.out").read_text() == "x" * 70_000 + "\n"


async def test_file_that_cannot_be_written_ends_nothing_and_is_not_named(tmp_path: Path) -> None:
    (tmp_path / "app").write_text("a file where the folder should be")
    screen = Screen(tmp_path / "app" / "feed.out")
    screen.print(1, 31)
    screen.output.close("feed")
    assert screen.lines[30:] == ["... 1 line left out"]

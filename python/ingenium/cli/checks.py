"""Checks before a run of problems that would otherwise appear only at its end."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ingenium.components import App, Ingestor
from ingenium.errors import BacktestError, ConfigError
from ingenium.runtime.replay.feed import prefers_bars

__all__ = ["check_benchmark", "check_report"]

_REPORT_BYTES = 1024 * 1024
_LISTED = 10


def check_report(path: Path) -> None:
    """Check that a report file can be written.

    Raises:
        ConfigError: Its folder is missing, or cannot be written to.
        BacktestError: Its disk is full.
    """
    if path.is_dir():
        raise ConfigError(
            f"--report {path} is a folder: pass a file, such as {path / 'report.html'}"
        )
    folder = path.parent
    if not folder.exists():
        raise ConfigError(
            f"--report {path}: folder {folder} does not exist: create it, or pass another"
        )
    if not folder.is_dir():
        raise ConfigError(f"--report {path}: {folder} is not a folder: pass another")
    if path.exists() and not path.is_file():
        return  # such as /dev/stdout
    probe = path.resolve().with_name(f".{path.name}.probe")
    try:
        if path.exists():
            with path.open("a", encoding="utf-8"):
                pass
        try:
            probe.write_bytes(bytes(_REPORT_BYTES))
        finally:
            with suppress(OSError):
                probe.unlink(missing_ok=True)
    except OSError as error:
        raise BacktestError(
            f"cannot write the report {path}: {error.strerror}: name another file with --report, "
            "or make room"
        ) from error


def check_benchmark(app: App, symbol: str) -> None:
    """Check that the data contains a symbol, by reading until its first bar.

    Args:
        app: App whose ingestors are read; it cannot run afterwards.
        symbol: Symbol to look for.

    Raises:
        BacktestError: No ingestor has the symbol; the text lists the available ones.
        DataFileError: The history cannot be read.
    """
    seen: dict[str, None] = {}
    for ingestor in app.ingestors:
        bars = None
        if isinstance(ingestor, Ingestor) and prefers_bars(ingestor):
            bars = ingestor.read_bars()
        if bars is None:
            return  # the symbols of a program are known only while the program runs
        for bar in bars:
            if bar.symbol == symbol:
                return
            seen[bar.symbol] = None
    if seen:
        known = ", ".join(sorted(seen)[:_LISTED]) + ", ..." * (len(seen) > _LISTED)
        raise BacktestError(f"benchmark {symbol!r} has no bars: use one of {known}")

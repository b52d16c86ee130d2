"""Inputs of a backtest, so that it can be repeated and compared."""

from __future__ import annotations

import importlib.util
import inspect
import platform
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from hashlib import file_digest
from pathlib import Path

from ingenium._version import __version__
from ingenium.brokers import PaperExecutor
from ingenium.components import App, DataNote, External, Ingestor, collect_notes
from ingenium.components.component import role_of
from ingenium.components.external import command_files

__all__ = [
    "DataFile",
    "Manifest",
    "components_of",
    "file_sha256",
    "make_manifest",
    "source_digest",
]


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file that an ingestor read.

    Attributes:
        name: File name without the folder, which differs between machines.
        size: In bytes.
        sha256: SHA-256 of its bytes, in hex.
    """

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Inputs of a backtest.

    Attributes:
        app: Target that named the app; the app's own name when an object was run.
        app_digest: SHA-256 of the file that defines it, in hex; empty when unknown.
        components: Role, name and class of each component.
        data: Files that ingestors read, as of the end of the run.
        start: End of the warm-up; ``None`` when there was none.
        end: The last instant; ``None`` for the end of the data.
        timezone: Time zone of the days and months of the figures.
        figures_from: Start of the figures, if trading began earlier; ``None`` when they begin
            together.
        policy: Fill policy; empty unless the executor is the SDK's paper executor.
        fees: Fee model; likewise.
        slippage: Slippage model; likewise.
        notes: Data that the readers skipped, clipped, guessed or left unread.
        programs: Files named in the commands of components in other languages.
        ingenium: Version of this package.
        python: Version of Python.
    """

    app: str
    app_digest: str
    components: tuple[tuple[str, str, str], ...]
    data: tuple[DataFile, ...]
    start: datetime | None
    end: datetime | None
    policy: str
    fees: str
    slippage: str
    timezone: str = "UTC"
    figures_from: datetime | None = None
    notes: tuple[DataNote, ...] = ()
    programs: tuple[DataFile, ...] = ()
    ingenium: str = __version__
    python: str = platform.python_version()


def make_manifest(
    app: App,
    source: App | Callable[[], App] | str,
    start: datetime | None,
    end: datetime | None,
    figures_from: datetime | None = None,
    zone: tzinfo = UTC,
) -> Manifest:
    """Return the manifest of a run.

    Args:
        app: The app that was run.
        source: The app, factory or target passed to the run.
        start: End of the warm-up.
        end: The last instant.
        figures_from: Start of the figures.
        zone: Time zone of the days.
    """
    policy = fees = slippage = ""
    if isinstance(app.executor, PaperExecutor):
        exchange = app.executor.exchange
        policy = exchange.policy.name
        fees, slippage = describe(exchange.fees), describe(exchange.slippage)
    paths = {
        path
        for ingestor in app.ingestors
        if isinstance(ingestor, Ingestor)
        for path in ingestor.files()
    }
    return Manifest(
        app=_name_of(source),
        app_digest=source_digest(source),
        components=components_of(app),
        data=tuple(sorted(map(_data_file, paths), key=lambda file: (file.name, file.sha256))),
        start=start,
        end=end,
        policy=policy,
        fees=fees,
        slippage=slippage,
        timezone=str(zone),
        figures_from=figures_from,
        notes=collect_notes(app.ingestors),
        programs=_programs(app),
    )


def components_of(app: App) -> tuple[tuple[str, str, str], ...]:
    """Return role, name and class of each component of an app."""
    return tuple((role_of(each), each.name, type(each).__qualname__) for each in app.components)


def source_digest(source: App | Callable[..., App] | str) -> str:
    """Return the SHA-256 of the file that defines an app, in hex; empty when there is none."""
    name: str | None = None
    try:
        if isinstance(source, str):
            place = source
            if not place.endswith(".py"):
                place = source.rpartition(":")[0] or source
            if place.endswith(".py"):
                name = place
            else:
                spec = importlib.util.find_spec(place)
                name = None if spec is None else spec.origin
        elif not isinstance(source, App):
            name = inspect.getsourcefile(inspect.unwrap(source))
        return "" if name is None else file_sha256(Path(name))
    except (OSError, TypeError, ValueError, ImportError):
        return ""


def _programs(app: App) -> tuple[DataFile, ...]:
    """Return the program files of components in other languages, each once."""
    paths: set[Path] = set()
    for component in app.components:
        if isinstance(component, External):
            paths.update(command_files(component))
    return tuple(sorted(map(_data_file, paths), key=lambda file: (file.name, file.sha256)))


def describe(model: object) -> str:
    """Describe a model and its options, equal on every run: without memory addresses."""
    options = ""
    if is_dataclass(model):
        options = ", ".join(f"{f.name}={_text(getattr(model, f.name))}" for f in fields(model))
    return f"{type(model).__qualname__}({options})"


def _text(value: object) -> str:
    return describe(value) if is_dataclass(value) else str(value)


def _name_of(source: App | Callable[[], App] | str) -> str:
    if isinstance(source, str):
        return source
    if isinstance(source, App):
        return source.name
    found = inspect.unwrap(source)
    return str(getattr(found, "__qualname__", type(found).__qualname__))


def _data_file(path: Path) -> DataFile:
    return DataFile(path.name, path.stat().st_size, file_sha256(path))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex; cached while its size and modification time stay.

    Raises:
        OSError: The file cannot be read.
    """
    status = path.stat()
    return _digest_as_of(path.resolve(), status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1024)
def _digest_as_of(path: Path, _modified: int, _size: int) -> str:
    # A sweep reads the same files repeatedly.
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()

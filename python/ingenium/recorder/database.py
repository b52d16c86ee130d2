"""Open a database and migrate its schema."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import alembic.runtime.migration
import alembic.script
import sqlalchemy
from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from ingenium.errors import ConfigError, MissingDependencyError, RecorderError
from ingenium.private_files import make_folder, open_private
from ingenium.recorder.views import create_views, drop_views

__all__ = ["Database", "failures"]

_BUSY_SECONDS = 30
_CONNECT_SECONDS = 10
_IMMEDIATE = "ingenium_immediate"
_PASSWORD_FILE = "password_file"  # noqa: S105 - a name
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


class Database:
    """A database of recorded events.

    Args:
        url: ``sqlite:///path``, ``postgresql://user@host/name``, or the path of a SQLite file. With
            ``?password_file=/path`` the password is the first line of that file, so that it stands
            in no command.
        is_kept: Whether a connection to PostgreSQL is kept for the next query; the engine must then
            be disposed of.

    Attributes:
        is_sqlite: Whether the database is a SQLite file; PostgreSQL otherwise.
        text: Its location, without a password.

    Raises:
        ConfigError: The URL is neither of SQLite nor of PostgreSQL.
        MissingDependencyError: The driver is not installed.
    """

    def __init__(self, url: str, *, is_kept: bool = False) -> None:
        self._is_kept = is_kept
        self._url = _parse(url)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        self.text = (
            str(self._url.database) if self.is_sqlite else self._url.render_as_string()
        ).replace("postgresql+psycopg", "postgresql")
        self.engine = self._engine()

    @property
    def path(self) -> Path | None:
        """File of a SQLite database; ``None`` for PostgreSQL."""
        return Path(str(self._url.database)) if self.is_sqlite else None

    def lock_path(self, scope: str) -> Path:
        """Return the lock file of a scope's recorder, beside a SQLite database."""
        assert self.path is not None  # noqa: S101 - PostgreSQL has locks of its own
        return self.path.with_name(f"{self.path.name}.{scope}.lock")

    def _engine(self) -> Engine:
        if not self.is_sqlite:
            try:
                return sqlalchemy.create_engine(
                    self._url,
                    connect_args={"connect_timeout": _CONNECT_SECONDS},
                    poolclass=sqlalchemy.QueuePool if self._is_kept else sqlalchemy.NullPool,
                    pool_pre_ping=self._is_kept,
                )
            except ModuleNotFoundError as error:
                raise MissingDependencyError(
                    f"PostgreSQL needs the package {error.name!r}: "
                    "pip install 'ingenium[postgresql]'"
                ) from error
        engine = sqlalchemy.create_engine(
            self._url, connect_args={"timeout": _BUSY_SECONDS}, poolclass=sqlalchemy.NullPool
        )
        sqlalchemy.event.listen(engine, "connect", _prepare_sqlite)
        # The driver itself begins no transaction before a SELECT or a CREATE.
        sqlalchemy.event.listen(engine, "begin", _begin_sqlite)
        return engine

    def migrate(self) -> list[str]:
        """Create the tables, or migrate those of an older version.

        Returns:
            What was done for each version, in order; empty if the tables were up to date.

        Raises:
            RecorderError: The database cannot be reached or written, or has a newer version.
        """
        if self.path is not None:
            try:
                make_folder(self.path.absolute().parent)
                os.close(open_private(self.path, os.O_RDWR))
            except OSError as error:
                raise RecorderError(f"cannot write to {self.path}: {error.strerror}") from error
        config = _configuration()
        if self._is_up_to_date(config):
            return []
        with failures(self, "bring its tables up to date"), self.writing() as connection:
            if not self.is_sqlite:
                # Two processes that start together migrate one after the other.
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(4919130214)")
            if (found := self._revision(connection)) is not None:
                _check_known(config, found, self.text)
            done = _steps(config, found)
            config.attributes["connection"] = connection
            drop_views(connection)
            alembic.command.upgrade(config, "head")
            create_views(connection)
        return done

    def _is_up_to_date(self, config: alembic.config.Config) -> bool:
        with failures(self, "be opened"), self.engine.connect() as connection:
            return self._revision(connection) == _head(config)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that reads and then writes; it is committed at the end.

        By default SQLite would refuse the first write if another one was made since the first read.
        """
        with self.engine.execution_options(**{_IMMEDIATE: True}).begin() as connection:
            yield connection

    def check(self) -> None:
        """Check that the database contains a recording of this version.

        Raises:
            RecorderError: It does not.
        """
        if self.path is not None and not self.path.is_file():
            raise RecorderError(
                f"there is no recording in {self.text}: ingenium record or ingenium run --record "
                "makes one"
            )
        config = _configuration()
        with failures(self, "be read"), self.engine.connect() as connection:
            found = self._revision(connection)
        if found is None:
            raise RecorderError(f"{self.text} holds no recording")
        _check_known(config, found, self.text)
        if found != (head := _head(config)):
            raise RecorderError(
                f"{self.text} has tables of version {found}, not {head}: ingenium record --migrate "
                "brings them up to date"
            )

    def _revision(self, connection: Connection) -> str | None:
        context = alembic.runtime.migration.MigrationContext.configure(connection)
        return context.get_current_revision()


def _parse(url: str) -> URL:
    if "://" not in url:
        return URL.create("sqlite", database=url)
    try:
        found = make_url(url)
    except ArgumentError:
        raise ConfigError("the URL of the database cannot be read: see docs/recorder.md") from None
    if found.drivername in _POSTGRESQL:
        return _with_password(found.set(drivername="postgresql+psycopg"))
    if found.drivername != "sqlite" or not found.database:
        raise ConfigError(
            f"a database {found.drivername}://... is not known: use sqlite:///path or "
            "postgresql://user@host/name"
        )
    return found


def _with_password(url: URL) -> URL:
    path = url.query.get(_PASSWORD_FILE)
    if path is None:
        return url
    if not isinstance(path, str):
        raise ConfigError(f"the URL of the database names {_PASSWORD_FILE} twice: name it once")
    try:
        [password] = Path(path).read_text("utf-8").splitlines()[:1] or [""]
    except (OSError, ValueError) as error:
        raise ConfigError(f"the password of the database cannot be read: {error}") from error
    return url.difference_update_query([_PASSWORD_FILE]).set(password=password)


def _configuration() -> alembic.config.Config:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _head(config: alembic.config.Config) -> str | None:
    return alembic.script.ScriptDirectory.from_config(config).get_current_head()


def _steps(config: alembic.config.Config, found: str | None) -> list[str]:
    """Return version and purpose of each migration after a version."""
    script = alembic.script.ScriptDirectory.from_config(config)
    steps = script.iterate_revisions("head", found or "base")
    return [f"version {each.revision}: {each.doc.rstrip('.')}" for each in steps][::-1]


def _check_known(config: alembic.config.Config, revision: str, where: str) -> None:
    script = alembic.script.ScriptDirectory.from_config(config)
    if revision not in {each.revision for each in script.walk_revisions()}:
        raise RecorderError(
            f"{where} has tables of version {revision}, which this version of ingenium does not "
            "know: use the newer one that made them"
        )


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None
    # Of an empty file only: the space of deleted events can then be given back without a copy.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    # The position is in the same transaction as the events, so a batch lost in a power failure is
    # recorded again.
    connection.execute("PRAGMA synchronous = NORMAL")


def _begin_sqlite(connection: Connection) -> None:
    is_immediate = connection.get_execution_options().get(_IMMEDIATE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_immediate else "BEGIN")


@contextmanager
def failures(database: Database, what: str) -> Iterator[None]:
    """Turn the errors of a database into `RecorderError`.

    Args:
        database: The database, for the error text.
        what: What it could not do, such as ``"be read"``.
    """
    try:
        yield
    except Exception as error:
        # The base class of every driver's errors has this name, and no driver is imported here.
        cause = error.orig if isinstance(error, DBAPIError) else error
        if not any(kind.__name__ == "Error" for kind in type(cause).__mro__):
            raise
        reason = str(cause).strip().partition("\n")[0]
        raise RecorderError(f"database {database.text} cannot {what}: {reason}") from cause

"""Record every event in a database, query the recording and replay from it.

Needs the extra ``ingenium[recorder]``, and ``ingenium[postgresql]`` for PostgreSQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingenium.errors import MissingDependencyError

if TYPE_CHECKING:
    from ingenium.recorder.records import Records

__all__ = ["open"]


def open(url: str) -> Records:
    """Open a database of recorded events, to read it.

    Args:
        url: ``sqlite:///path``, ``postgresql://user@host/name``, or the path of a SQLite file.

    Raises:
        MissingDependencyError: The libraries for this database are not installed.
        RecorderError: The database cannot be opened, or contains no recording.
    """
    require()
    from ingenium.recorder.records import Records

    return Records(url)


def require() -> None:
    """Check that the libraries are installed.

    Raises:
        MissingDependencyError: One is missing.
    """
    try:
        import alembic  # noqa: F401
        import sqlalchemy  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"the recorder needs the package {error.name!r}: pip install 'ingenium[recorder]'"
        ) from error

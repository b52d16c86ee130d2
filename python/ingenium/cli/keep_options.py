"""``--keep`` and ``--archive``: how long a recording is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingenium.errors import ConfigError

if TYPE_CHECKING:
    from ingenium.recorder.retention import RetentionPolicy

__all__ = ["ArchiveOption", "KeepOption", "policy_of"]

KeepOption = Annotated[
    str | None,
    typer.Option(
        "--keep",
        metavar="DAYS",
        help="Delete recorded events that are older, such as 90d, each day.",
    ),
]
ArchiveOption = Annotated[
    Path | None,
    typer.Option(
        "--archive",
        metavar="FOLDER",
        help="With --keep: export to Parquet first, and delete only what was exported and "
        "verified.",
    ),
]


def policy_of(keep: str | None, archive: Path | None) -> RetentionPolicy | None:
    """Return what the options keep; ``None`` for everything.

    Raises:
        ConfigError: The days cannot be read, or there are none for the archive.
    """
    from ingenium.recorder.retention import RetentionPolicy, days_of

    if keep is None:
        if archive is not None:
            raise ConfigError("--archive needs --keep, such as --keep 90d")
        return None
    return RetentionPolicy(days_of(keep), archive)

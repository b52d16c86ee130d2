"""Checks of this machine: Python, compiled modules, disk, limits of the process, time zones."""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from ingenium._native import stale_sources
from ingenium.bus.nats.stream_layout import MONEY_STREAM
from ingenium.operations.doctor.findings import Examination

__all__ = ["Machine", "check_disk", "check_machine", "read_machine"]

OLDEST_PYTHON = (3, 11)
LEAST_BYTES = 256 * 1_048_576
"""Free space below which a start, a log or a state file soon fails."""
LEAST_DESCRIPTORS = 256
LEAST_SERVER_DESCRIPTORS = 1024

_MIB = 1_048_576
_A_ZONE = "America/New_York"


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts about this machine and process.

    Attributes:
        python: Major and minor version of Python.
        stale: Files that were edited since they were compiled.
        data_directory: The data folder.
        folder_problem: Why the data folder cannot be used; empty if it can.
        free_bytes: Free space for it; ``None`` if unknown.
        descriptors: Soft and hard limit of open files; -1 for no limit.
        zone: Variable ``TZ``; empty if not set.
        is_zone_known: Whether that zone is known.
        has_zones: Whether there is a database of time zones.
    """

    python: tuple[int, int]
    stale: tuple[str, ...]
    data_directory: Path
    folder_problem: str
    free_bytes: int | None
    descriptors: tuple[int, int]
    zone: str
    is_zone_known: bool
    has_zones: bool


def read_machine(data_directory: Path, environment: Mapping[str, str]) -> Machine:
    """Return the facts of this machine.

    Args:
        data_directory: The data folder, which need not exist.
        environment: Variables of the process.
    """
    existing = data_directory.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    problem = ""
    if not existing.is_dir():
        problem = f"{existing} is not a folder"
    elif not os.access(existing, os.R_OK | os.W_OK | os.X_OK):
        problem = f"{existing} cannot be read and written by this user"
    try:
        free: int | None = shutil.disk_usage(existing).free
    except OSError:
        free = None
    zone = environment.get("TZ", "").strip()
    return Machine(
        python=sys.version_info[:2],
        stale=tuple(stale_sources()),
        data_directory=data_directory,
        folder_problem=problem,
        free_bytes=free,
        descriptors=resource.getrlimit(resource.RLIMIT_NOFILE),
        zone=zone,
        # POSIX rules such as EST5EDT,M3.2.0,M11.1.0 and paths are not names of zones.
        is_zone_known=not zone or zone[0] in ":/<" or "," in zone or _knows(zone),
        has_zones=_knows(_A_ZONE),
    )


def _knows(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        return False
    except KeyError:
        return False
    return True


def check_machine(examination: Examination, machine: Machine) -> None:
    """Check this machine.

    Args:
        examination: Receives the findings.
        machine: Facts of the machine.
    """
    if machine.python < OLDEST_PYTHON:
        examination.error(
            "python",
            f"Python {machine.python[0]}.{machine.python[1]} is too old",
            "install Python 3.11 or later and ingenium for it",
        )
    if machine.stale:
        examination.warning(
            "compiled",
            f"{', '.join(machine.stale)} changed since it was compiled, so the sources run, slower",
            "make compile",
        )
    if machine.folder_problem:
        examination.error(
            "data folder",
            f"the data folder {machine.data_directory} cannot be used: {machine.folder_problem}",
            "set INGENIUM_DATA_DIR to a folder of your own",
        )
    elif machine.free_bytes is not None:
        check_disk(examination, str(machine.data_directory), machine.free_bytes)
    soft, hard = machine.descriptors
    if 0 <= soft < LEAST_DESCRIPTORS:
        examination.warning(
            "open files",
            f"a process may open {soft} files, and connections and state files need some "
            f"{LEAST_DESCRIPTORS}",
            "ulimit -n 4096, or LimitNOFILE=4096 in its systemd unit",
        )
    if 0 <= hard < LEAST_SERVER_DESCRIPTORS:
        examination.warning(
            "open files",
            f"a nats-server started here may open {hard} files, and its streams and connections "
            f"need {LEAST_SERVER_DESCRIPTORS}",
            "raise the hard limit: nofile in /etc/security/limits.conf, or LimitNOFILE=65536",
        )
    if not machine.has_zones:
        examination.error(
            "time zone",
            "there is no database of time zones, so trading hours and local times cannot be read",
            "pip install tzdata",
        )
    elif not machine.is_zone_known:
        examination.warning(
            "time zone",
            f"TZ is {machine.zone!r}, which is no time zone, so the system shows UTC as local time",
            "set TZ to UTC or to a name such as America/New_York",
        )


def check_disk(examination: Examination, folder: str, free_bytes: int) -> None:
    """Check the free space of a folder with state files or streams."""
    wanted = MONEY_STREAM.max_bytes
    if free_bytes >= wanted:
        return
    problem = f"the disk of {folder} has {free_bytes // _MIB} MiB left"
    cure = "make room there, or set INGENIUM_DATA_DIR or the server's store_dir to another disk"
    if free_bytes < LEAST_BYTES:
        examination.error("disk", f"{problem}: state and orders soon cannot be stored", cure)
    else:
        examination.warning(
            "disk", f"{problem}, and the stream of orders grows to {wanted // _MIB} MiB", cure
        )

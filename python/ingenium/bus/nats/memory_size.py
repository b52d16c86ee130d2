"""Memory of the machine, and the share of it for market data on a server."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["data_bytes", "machine_memory", "server_environment"]

_MIB = 1_048_576
_MOST_BYTES = 32 * _MIB
_LEAST_BYTES = 8 * _MIB
_PART = 32
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def machine_memory() -> int:
    """Return the memory of this machine or container, in bytes."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(machine, int(_CGROUP_LIMIT.read_text("ascii")))
    except (OSError, ValueError):
        return machine  # There is no limit, or no such file.


def data_bytes(memory: int) -> int:
    """Return the size limit of the in-memory stream of market data, in bytes.

    A server needs about twice that memory, up to five times under load, and with accounts it has
    two such streams. 32 MiB may therefore become 300 MiB; the limit is lower on a machine with less
    than 1 GiB.

    Args:
        memory: Memory of the machine, bytes.
    """
    return max(_LEAST_BYTES, min(_MOST_BYTES, memory // _PART))


def server_environment() -> dict[str, str]:
    """Return the environment of an embedded server, with its memory use limited."""
    # Settings of the Go runtime; values of the user take precedence.
    settings = {"GOGC": "50", "GOMEMLIMIT": str(machine_memory() // 4)}
    return settings | dict(os.environ)

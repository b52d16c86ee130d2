"""How much memory the machine has, and what of it market data may take on a server."""

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
    """Return the bytes of memory of this machine, or of the container that this runs in."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(machine, int(_CGROUP_LIMIT.read_text("ascii")))
    except (OSError, ValueError):
        return machine  # There is no limit, or no such file.


def data_bytes(memory: int) -> int:
    """Return the bytes of market data that a stream in memory keeps.

    A server needs about two times as much for it, up to five in a flood, and with accounts it has
    two such streams. So 32 MiB may become 300 MiB, and less on a machine of less than 1 GiB.

    Args:
        memory: What the machine has, bytes.
    """
    return max(_LEAST_BYTES, min(_MOST_BYTES, memory // _PART))


def server_environment() -> dict[str, str]:
    """Return the environment of an embedded server, whose memory other programs need too."""
    # Settings of the Go runtime; who has set them knows better.
    settings = {"GOGC": "50", "GOMEMLIMIT": str(machine_memory() // 4)}
    return settings | dict(os.environ)

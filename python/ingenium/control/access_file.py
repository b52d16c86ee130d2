"""The file with URL and tokens of the control plane that runs, for programs of its owner."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from ingenium.private_files import replace_private

__all__ = ["access_file", "written_access"]


def access_file(data_directory: Path) -> Path:
    """Return the path of the file."""
    return data_directory / "control.json"


@contextmanager
def written_access(path: Path, content: Mapping[str, object]) -> Iterator[None]:
    """Keep the file while the server runs, readable for its owner only.

    Raises:
        OSError: It cannot be written.
    """
    replace_private(path, json.dumps({**content, "process": os.getpid()}).encode())
    try:
        yield
    finally:
        # Another server may have replaced it.
        with suppress(OSError, ValueError):
            if json.loads(path.read_text("utf-8")).get("process") == os.getpid():
                path.unlink()

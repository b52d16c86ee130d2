"""Files of an embedded server: configuration, lock, address."""

from __future__ import annotations

import json
import os
import re
import resource
from pathlib import Path

from ingenium.errors import BusConnectError
from ingenium.file_locks import holder_of, lock_file
from ingenium.nats_server.account_limits import AUTH_SECONDS
from ingenium.private_files import open_private

__all__ = [
    "configuration",
    "is_locked",
    "lock_directory",
    "log_tail",
    "monitor_of",
    "one_user",
    "with_accounts",
    "write_private",
]

_MOST_CONNECTIONS = 8192


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    for letter, code in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        escaped = escaped.replace(letter, code)
    return f'"{escaped}"'


def with_accounts(accounts: str) -> str:
    """Return the part of a configuration with the users of `Accounts.configuration`."""
    return f"""\
# All users log in, so this cuts off those who do not.
authorization {{
  timeout: {AUTH_SECONDS}
}}
accounts {{
{accounts}}}
"""


def one_user(user: str, password: str) -> str:
    """Return the part of a configuration with one user with all rights."""
    return f"""\
authorization {{
  timeout: {AUTH_SECONDS}
  users = [
    {{ user: {_quote(user)}, password: {_quote(password)} }}
  ]
}}
"""


def configuration(
    directory: Path,
    *,
    port: int,
    access: str,
    monitor_path: str,
    max_pending: str,
    monitor_port: int = -1,
) -> str:
    """Return the configuration of a server for the current user of this machine.

    Args:
        directory: Folder of its files.
        port: Port on 127.0.0.1; -1 for a free one.
        access: Access part of the configuration: `one_user` or `with_accounts`.
        monitor_path: Secret prefix of the monitoring paths.
        max_pending: Bytes buffered for a slow reader before it is disconnected.
        monitor_port: Port of the monitoring endpoints; -1 for a free one.
    """
    return f"""\
# Written at each start; changes are lost.
server_name: "ingenium-embedded"
listen: "127.0.0.1:{port}"
# The monitoring pages ask for no password, and show connections and stacks: they are for those who
# know the path.
http: "127.0.0.1:{monitor_port}"
http_base_path: {_quote(monitor_path)}
ports_file_dir: {_quote(str(directory / "ports"))}
log_file: {_quote(str(directory / "server.log"))}
logfile_size_limit: 10MB
logfile_max_num: 3
max_payload: 1MB
# Accounts limit who has logged in; the rest is room for sockets that have not, which wait a second.
max_connections: {_most_connections()}
max_subscriptions: 10000
# A slow component on this machine should get late data before it is cut off.
max_pending: {max_pending}
write_deadline: "30s"
ping_interval: "10s"
ping_max: 3
jetstream {{
  store_dir: {_quote(str(directory))}
  max_memory_store: 1GB
  # What was acknowledged is on the disk, power failure or not.
  sync_interval: always
}}
{access}"""


def _most_connections() -> int:
    """Return the maximum number of sockets, leaving file descriptors for streams."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST_CONNECTIONS if hard < 0 else max(256, min(_MOST_CONNECTIONS, hard // 2))


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner may read."""
    path.unlink(missing_ok=True)
    descriptor = open_private(path, os.O_WRONLY | os.O_EXCL)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def lock_directory(directory: Path, *, wait_seconds: float) -> int:
    """Lock a data folder against other servers.

    Args:
        directory: An existing folder.
        wait_seconds: Time to wait for a server that is about to end.

    Returns:
        A file descriptor; the folder is locked until it and all its copies are closed.

    Raises:
        BusConnectError: The folder is in use.
    """
    path = directory / "lock"
    descriptor = lock_file(path, wait_seconds=wait_seconds)
    if descriptor is None:
        raise BusConnectError(
            f"the data folder {directory.parent} is in use by the embedded server of process "
            f"{holder_of(path) or 'unknown'}: end it, set INGENIUM_DATA_DIR to another folder, or "
            "set NATS_SERVER"
        )
    return descriptor


def is_locked(directory: Path) -> bool:
    """Return whether a server uses a data folder."""
    return holder_of(directory / "lock") is not None


def monitor_of(directory: Path) -> str:
    """Return the monitoring URL of the running server of a data folder; empty if none runs.

    Contains a secret path; not for logs.

    Args:
        directory: Folder of its files.
    """
    if not is_locked(directory):
        return ""
    try:
        text = (directory / "server.conf").read_text("utf-8")
        base = re.search(r'^http_base_path: "(.*)"$', text, re.MULTILINE)
        for path in (directory / "ports").glob("*.ports"):
            found = json.loads(path.read_text("utf-8"))["monitoring"][0]
            return f"{found}{base[1] if base else ''}"
    except (OSError, ValueError, LookupError):
        pass  # The server is starting or ending.
    return ""


def log_tail(directory: Path) -> str:
    """Return the last error line of the server's log, or an empty text."""
    lines: list[str] = []
    for name in ("server.log", "start.log"):
        try:
            lines += (directory / name).read_text("utf-8", "replace").splitlines()[-50:]
        except OSError:
            continue
    bad = [line for line in lines if "[FTL]" in line or "[ERR]" in line or "nats-server:" in line]
    return bad[-1].strip() if bad else (lines[-1].strip() if lines else "")

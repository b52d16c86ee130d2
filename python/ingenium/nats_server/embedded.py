"""Embedded nats-server, which runs as long as its program."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from ingenium.bus.nats.memory_size import server_environment
from ingenium.errors import BusConnectError
from ingenium.nats_server.account_limits import MAX_PENDING
from ingenium.nats_server.accounts import READER, Accounts
from ingenium.nats_server.binary import find_binary
from ingenium.nats_server.files import (
    configuration,
    is_locked,
    lock_directory,
    log_tail,
    one_user,
    with_accounts,
    write_private,
)
from ingenium.nats_server.process_guard import guarded
from ingenium.private_files import make_folder, open_private

__all__ = ["EmbeddedServer", "running_servers"]

_USER = "ingenium"
_FOLDER = "nats"
_ADDRESS_FILE = "address"
_START_SECONDS = 10.0
# A killed server checks its whole store on start.
_RESTART_SECONDS = 60.0
_END_SECONDS = 5.0
_LOCK_SECONDS = 2.0
_POLL_SECONDS = 0.01
_LOOK_SECONDS = 0.1
# A single user is trusted, and gets late data rather than none.
_MAX_PENDING_OF_ONE = "256MB"


class EmbeddedServer:
    """A nats-server on 127.0.0.1 that ends with this program, even if that is killed.

    Use it with ``async with``. The server picks its ports itself, accepts only users with passwords
    created at each start, and keeps store, log and configuration in ``nats`` below the data folder.
    It runs in its own session, so that Ctrl+C reaches the components and not the server, which they
    need while they drain.

    Other programs of the same user find its addresses there: ``address`` for read-only access, and
    with accounts ``address.<role>`` for each role and ``address.<role>.<component>`` for each
    component.

    Args:
        data_directory: Folder of the store between runs; created if missing.
        binary: Path of the nats-server, used unverified; by default a known build is searched.
        port: Port to listen on; a free one by default.
        accounts: Users and rights per role and component; by default one user with all rights.
    """

    def __init__(
        self,
        data_directory: str | Path,
        *,
        binary: str | Path | None = None,
        port: int = -1,
        accounts: Accounts | None = None,
    ) -> None:
        self.data_directory = Path(data_directory).absolute()
        self._directory = self.data_directory / _FOLDER
        self._binary = None if binary is None else Path(binary)
        self._port = port
        self._ports = (port, -1)
        self._access = ""
        self._accounts = accounts
        self._passwords: dict[str, str] = {}
        self._address = ""
        self._monitor_path = f"/{secrets.token_urlsafe(32)}"
        self._monitor_url = ""
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address with user and password, in the format of ``NATS_SERVER``; not for logs.

        Raises:
            BusConnectError: The server is not started, or has one user per role.
        """
        if self._accounts is not None:
            raise BusConnectError("the embedded server has a user for each role: use url_for(role)")
        return self._url_of(_USER)

    def url_for(self, role: str, component: str = "") -> str:
        """Return the address with a role's user and password; not for logs.

        Args:
            role: One of `ingenium.nats_server.accounts.ROLES`. A server without accounts has one
                user for all of them.
            component: Component whose user to return; the user of the role by default.

        Raises:
            BusConnectError: The server is not started.
            ConfigError: There is no such role.
        """
        if self._accounts is None:
            return self.url
        return self._url_of(self._accounts.user(role, component))

    def _url_of(self, user: str) -> str:
        address = self._started()
        return f"nats://{user}:{self._passwords[user]}@{address}"

    @property
    def safe_url(self) -> str:
        """Address without user and password."""
        return f"nats://{self._started()}"

    @property
    def monitor_url(self) -> str:
        """URL of the monitoring endpoints, such as ``/subsz`` and ``/healthz``; not for logs.

        Contains a secret path, since the endpoints have no password.
        """
        self._started()
        return self._monitor_url

    @property
    def log_path(self) -> Path:
        """Path of the log."""
        return self._directory / "server.log"

    @property
    def is_running(self) -> bool:
        """Whether the server was started and has not ended."""
        return self._guard is not None and self._guard.poll() is None

    def _started(self) -> str:
        if not self._address:
            raise BusConnectError("the embedded server is not started: use it with async with")
        return self._address

    async def __aenter__(self) -> Self:
        """Start the server.

        Raises:
            BusConnectError: No known nats-server was found, the data folder is in use or not
                writable, or the server does not start.
        """
        if self._guard is not None:
            raise BusConnectError("the embedded server is started already")
        self._ports, self._access = (self._port, -1), ""
        try:
            await asyncio.to_thread(self._launch)
            await self._wait_until_ready(_START_SECONDS)
        except BaseException:
            await asyncio.shield(self.stop())
            raise
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def ended(self) -> int:
        """Wait until the server has ended, and return its exit code as a shell reports it.

        Raises:
            BusConnectError: The server is not started.
        """
        if self._guard is None:
            raise BusConnectError("the embedded server is not started: use it with async with")
        guard = self._guard
        # A waiting thread would keep the program from exiting.
        while guard.poll() is None:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(_LOOK_SECONDS)
        return guard.returncode

    async def restart(self) -> None:
        """Restart an ended server with its store, ports and passwords.

        Clients reconnect by themselves.

        Raises:
            BusConnectError: The server does not start, for example because its port is in use
                or its folder is not writable; `restart` may be retried.
        """
        await self._end()
        try:
            await asyncio.to_thread(self._launch)
            await self._wait_until_ready(_RESTART_SECONDS)
        except BaseException:
            await asyncio.shield(self._end())
            raise

    def _launch(self) -> None:
        binary = find_binary() if self._binary is None else self._binary
        directory = self._directory
        try:
            make_folder(directory)
            lock = lock_directory(directory, wait_seconds=_LOCK_SECONDS)
        except OSError as error:
            raise BusConnectError(
                f"cannot write to the data folder {self.data_directory}: {error.strerror}: set "
                "INGENIUM_DATA_DIR to another one"
            ) from error
        try:
            shutil.rmtree(directory / "ports", ignore_errors=True)
            make_folder(directory / "ports")
            self._remove_addresses()
            path = directory / "server.conf"
            access = self._access = self._access or self._make_passwords()
            port, monitor_port = self._ports
            text = configuration(
                directory,
                port=port,
                access=access,
                monitor_path=self._monitor_path,
                max_pending=_MAX_PENDING_OF_ONE if self._accounts is None else MAX_PENDING,
                monitor_port=monitor_port,
            )
            write_private(path, text)
            log_flags = os.O_WRONLY | os.O_TRUNC
            with os.fdopen(open_private(directory / "start.log", log_flags), "wb") as log:
                self._guard = subprocess.Popen(
                    guarded([str(binary), "-c", str(path)], end_seconds=_END_SECONDS, lock=lock),
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    pass_fds=[lock],
                    start_new_session=True,
                    # The server creates its own files.
                    umask=0o077,
                    env=server_environment(),
                )
        except OSError as error:
            raise BusConnectError(f"cannot start an embedded nats-server: {error}") from error
        finally:
            os.close(lock)

    def _make_passwords(self) -> str:
        """Create passwords; return their part of the configuration."""
        accounts = self._accounts
        if accounts is None:
            self._passwords = {_USER: secrets.token_urlsafe(32)}
            return one_user(_USER, self._passwords[_USER])
        by_login = {login: secrets.token_urlsafe(32) for login in accounts.logins}
        self._passwords = {
            accounts.user(*who): by_login[login] for login, who in accounts.logins.items()
        }
        return with_accounts(accounts.configuration(passwords=by_login))

    def _write_addresses(self) -> None:
        if self._accounts is not None:
            for login, who in self._accounts.logins.items():
                write_private(self._directory / f"{_ADDRESS_FILE}.{login}", self.url_for(*who))
        # Written last, so that the files of the roles exist when this one does.
        write_private(self._directory / _ADDRESS_FILE, self.url_for(READER))

    def _remove_addresses(self) -> None:
        for path in self._directory.glob(f"{_ADDRESS_FILE}*"):
            path.unlink(missing_ok=True)

    async def _wait_until_ready(self, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        while not self._read_ports():
            if not self.is_running:
                reason = log_tail(self._directory) or "it ended at once"
                raise BusConnectError(f"the embedded nats-server did not start: {reason}")
            if time.monotonic() > ends_at:
                raise BusConnectError(
                    f"the embedded nats-server did not start within {seconds:g} s: see "
                    f"{self._directory / 'server.log'}"
                )
            await asyncio.sleep(_POLL_SECONDS)
        self._ports = _port_of(self._address), _port_of(self._monitor_url)
        self._write_addresses()

    def _read_ports(self) -> bool:
        for path in (self._directory / "ports").glob("*.ports"):
            try:
                ports = json.loads(path.read_text("utf-8"))
                self._address = str(ports["nats"][0]).removeprefix("nats://")
                self._monitor_url = f"{ports['monitoring'][0]}{self._monitor_path}"
            except (OSError, ValueError, LookupError):
                continue  # The server is writing the file.
            return True
        return False

    async def stop(self) -> None:
        """Stop the server and wait until it is gone. Stopping twice has no effect."""
        await self._end()
        self._address = ""

    async def _end(self) -> None:
        guard, self._guard = self._guard, None
        if guard is None:
            return
        self._remove_addresses()
        if guard.stdin is not None:
            with contextlib.suppress(OSError):
                guard.stdin.close()
        try:
            await asyncio.to_thread(guard.wait, _END_SECONDS + 2.0)
        except subprocess.TimeoutExpired:
            guard.kill()
            await asyncio.to_thread(guard.wait)


def _port_of(address: str) -> int:
    found = urlsplit(address if "//" in address else f"//{address}").port
    return -1 if found is None else found


def running_servers(data_directory: str | Path, role: str = READER) -> list[str]:
    """Return the running embedded servers of other programs of this user.

    Args:
        data_directory: The data folder, as `Settings.data_directory`: servers in it and in the
            folders directly below it, one for each app, are found.
        role: One of `ingenium.nats_server.accounts.ROLES`. Where a server has no accounts, its only
            user may do everything.

    Returns:
        Their addresses with user and password, by the names of their folders.
    """
    top = Path(data_directory)
    found: list[str] = []
    for path in sorted(
        [*top.glob(f"{_FOLDER}/{_ADDRESS_FILE}"), *top.glob(f"*/{_FOLDER}/{_ADDRESS_FILE}")]
    ):
        # A killed server leaves its address file, but no lock.
        if is_locked(path.parent):
            own = path.with_name(f"{_ADDRESS_FILE}.{role}")
            with contextlib.suppress(OSError):
                found.append((own if own.exists() else path).read_text("utf-8"))
    return found

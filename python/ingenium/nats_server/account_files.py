"""Configuration and secrets of accounts for an external server."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from ingenium.errors import ConfigError, MissingDependencyError
from ingenium.nats_server.account_limits import AUTH_SECONDS
from ingenium.nats_server.accounts import Accounts
from ingenium.nats_server.files import write_private
from ingenium.private_files import make_folder

__all__ = ["CONFIGURATION_FILE", "NewAccounts", "make_accounts"]

CONFIGURATION_FILE = "accounts.conf"


@dataclass(frozen=True, slots=True)
class NewAccounts:
    """Accounts with new secrets.

    Attributes:
        configuration: Configuration of the server.
        secrets: By login, the content of a credentials file: ``user:password``, or the seed of
            an nkey.
        ending: Suffix of credentials files, ``"login"`` or ``"nk"``.
    """

    configuration: str = field(repr=False)
    secrets: dict[str, str] = field(repr=False)
    ending: str

    def write(self, directory: Path) -> str:
        """Write all files, readable by their owner only.

        Args:
            directory: Folder, created if missing.

        Returns:
            The path of the credentials files, with the placeholder ``{role}``.

        Raises:
            ConfigError: A file exists already, or cannot be written.
        """
        files = {directory / f"{login}.{self.ending}": text for login, text in self.secrets.items()}
        files[directory / CONFIGURATION_FILE] = self.configuration
        if found := [str(path) for path in files if path.exists()]:
            # Overwriting would lock out the users of the old secrets.
            raise ConfigError(f"{', '.join(found)} exist: remove them, or name another directory")
        try:
            make_folder(directory)
            for path, text in files.items():
                write_private(path, text if text.endswith("\n") else f"{text}\n")
        except OSError as error:
            raise ConfigError(f"cannot write to {directory}: {error.strerror}") from error
        return str(directory / f"{{role}}.{self.ending}")


def make_accounts(accounts: Accounts, *, with_keys: bool) -> NewAccounts:
    """Create a secret per role and component, and the server's configuration.

    Args:
        accounts: Accounts of the app.
        with_keys: Whether to use nkeys, of which the server has only the public keys; otherwise
            passwords.

    Raises:
        MissingDependencyError: The library for keys is not installed.
    """
    head = (
        f"# The accounts of {accounts.app}, for a server with JetStream. Its configuration has\n"
        "#   accounts {\n"
        f"#     include {CONFIGURATION_FILE}\n"
        "#   }\n"
        "#   authorization {\n"
        f"#     timeout: {AUTH_SECONDS}\n"
        "#   }\n"
        "# and no users beside.\n"
    )
    if not with_keys:
        passwords = {login: secrets.token_urlsafe(32) for login in accounts.logins}
        logins = {
            login: f"{accounts.user(*who)}:{passwords[login]}"
            for login, who in accounts.logins.items()
        }
        return NewAccounts(head + accounts.configuration(passwords=passwords), logins, "login")
    pairs = {login: _make_key() for login in accounts.logins}
    public = {login: key for login, (_, key) in pairs.items()}
    seeds = {login: seed for login, (seed, _) in pairs.items()}
    return NewAccounts(head + accounts.configuration(nkeys=public), seeds, "nk")


def _make_key() -> tuple[str, str]:
    """Return the seed of a new user key, and its public key."""
    try:
        import nkeys
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"keys need the package {error.name!r}: pip install 'ingenium[nkeys]'"
        ) from error
    seed = bytes(nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)).decode()
    return seed, bytes(nkeys.from_seed(bytearray(seed.encode())).public_key).decode()

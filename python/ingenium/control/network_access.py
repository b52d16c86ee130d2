"""How the control plane is reached: from this machine, or from others by TLS and a password."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from ingenium.errors import ConfigError

__all__ = ["LOCAL", "NetworkAccess"]

_LEAST_PASSWORD = 12
_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class NetworkAccess:
    """Where the server listens, and by what it is protected there.

    Attributes:
        host: Name or address of this machine that browsers use.
        certificate: File of the certificate and those that have signed it; ``None`` for this
            machine only.
        key: File of its private key; ``None`` if that is in the file of the certificate.
        password: Password that opens sessions; empty for none.
    """

    host: str = "127.0.0.1"
    certificate: Path | None = None
    key: Path | None = None
    password: str = ""

    @classmethod
    def checked(
        cls,
        host: str | None,
        certificate: Path | None = None,
        key: Path | None = None,
        password_file: Path | None = None,
    ) -> NetworkAccess:
        """Return the access that options of a command line ask for.

        Args:
            host: Name or address; this machine only when ``None``.
            certificate: File of the certificate.
            key: File of its private key.
            password_file: File with the password in its first line.

        Raises:
            ConfigError: Others could reach it without TLS or without a password, or a file cannot
                be used.
        """
        if host is None or _is_loopback(host):
            if certificate or key or password_file:
                raise ConfigError(
                    "a certificate, key or password goes with the name or address by which other "
                    "machines reach this one: add --host"
                )
            return LOCAL
        if _is_any(host):
            raise ConfigError(
                f"{host} is no address that a browser can open: pass --host the name or address "
                "by which other machines reach this one, with --certificate and --password-file"
            )
        if certificate is None or password_file is None:
            missing = "--certificate" if certificate is None else "--password-file"
            raise ConfigError(
                f"other machines may reach {host}: pass {missing} as well, or leave out --host to "
                "listen on this machine only"
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"certificate {certificate} cannot be used: {error}") from error
        return cls(host, certificate, key, _password(password_file))

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self.certificate is None

    @property
    def scheme(self) -> str:
        """``"http"``, or ``"https"``."""
        return "http" if self.is_local else "https"

    def url(self, port: int) -> str:
        """Return the URL of the server."""
        return f"{self.scheme}://{_bracketed(self.host)}:{port}"

    def hosts(self, port: int) -> frozenset[str]:
        """Return the values of the header host that are answered."""
        names = _LOCAL_NAMES if self.is_local else (_bracketed(self.host).lower(),)
        # A browser leaves out the port of its scheme.
        plain = names if port == 443 and not self.is_local else ()
        return frozenset((*(f"{name}:{port}" for name in names), *plain))

    def cookie_name(self, port: int) -> str:
        """Return the name of the cookie of sessions; browsers hold ``__Host-`` to its promise."""
        return f"{'' if self.is_local else '__Host-'}ingenium_{port}"


LOCAL = NetworkAccess()
"""Access from this machine only."""


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    found = _address(host)
    return host.lower() == "localhost" or (found is not None and found.is_loopback)


def _is_any(host: str) -> bool:
    found = _address(host)
    return not host or (found is not None and found.is_unspecified)


def _bracketed(host: str) -> str:
    found = _address(host)
    return f"[{found}]" if found is not None and found.version == 6 else host


def _password(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        found = path.read_text("utf-8").partition("\n")[0].strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"password file {path} cannot be read: {error}") from error
    if mode & 0o077:
        raise ConfigError(f"password file {path} can be read by others: chmod 600 {path}")
    if len(found) < _LEAST_PASSWORD:
        raise ConfigError(
            f"the password in {path} has {len(found)} characters: use {_LEAST_PASSWORD} or more"
        )
    return found

"""Load credentials and TLS settings from files."""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ingenium.bus.envelope import content_type_named
from ingenium.bus.nats.addresses import Address
from ingenium.bus.nats.options import NatsOptions
from ingenium.bus.roles import ROLES, inbox_of
from ingenium.config import Settings
from ingenium.errors import BusConnectError, MissingDependencyError
from ingenium.subjects.space import SubjectSpace

__all__ = ["check_encrypted", "is_loopback", "options_for", "read_credentials", "tls_context"]

_LARGEST_BYTES = 65_536
_SEED = re.compile(r"SU[A-Z2-7]{56}", re.ASCII)
_LOGIN = re.compile(r"([^:\s]+):(\S+)")
_KINDS = (
    "put into it what nsc or nk wrote (a .creds file, or a user's seed, which begins with SU), or "
    "one line of the form user:password"
)


def options_for(
    settings: Settings, role: str, options: NatsOptions | None = None, *, component: str = ""
) -> NatsOptions:
    """Return the connection options of a role for the configured server.

    Args:
        settings: Settings with the paths of credentials, authorities and certificates.
        role: One of `ingenium.nats_server.accounts.ROLES`; empty if unknown.
        options: Options that take precedence over the settings.
        component: The connecting component, which may have its own credentials.

    Raises:
        BusConnectError: A file cannot be read.
        ConfigError: The content type is unknown.
    """
    own = settings.for_role(role, component) if role else settings
    options = options or NatsOptions()
    if options.credentials_file is None and own.credentials is not None and not options.user:
        options = replace(options, credentials_file=own.credentials)
    if options.tls is None and (own.ca_file or own.certificate_file):
        context = tls_context(own.ca_file, own.certificate_file, own.key_file)
        options = replace(options, tls=context)
    if own.allow_plaintext:
        options = replace(options, allow_plaintext=True)
    if options.content_type is None:
        options = replace(options, content_type=content_type_named(own.content_type))
    if own.prefix and not options.space.prefix:
        options = replace(options, space=SubjectSpace(own.prefix))
    if own.stream_replicas > options.stream_replicas:
        options = replace(options, stream_replicas=own.stream_replicas)
    if role in ROLES:
        options = replace(options, inbox_prefix=inbox_of(role, component))
    return options


def tls_context(
    ca_file: Path | None, certificate_file: Path | None = None, key_file: Path | None = None
) -> ssl.SSLContext:
    """Return the TLS context: trusted authorities and own certificate.

    Args:
        ca_file: Certificates of the trusted authorities, PEM; those of the system by default.
        certificate_file: Own certificate chain, PEM, for a server that requires one.
        key_file: Private key, PEM; in ``certificate_file`` by default.

    Raises:
        BusConnectError: A file cannot be read or is invalid.
    """
    for path in (ca_file, certificate_file, key_file):
        if path is not None and not path.is_file():
            raise BusConnectError(f"there is no file {path}: INGENIUM_NATS_CA and the like name it")
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ValueError) as error:
        raise BusConnectError(f"{ca_file} holds no certificates in PEM form: {error}") from error
    if certificate_file is not None:
        try:
            # Without this OpenSSL would prompt for the passphrase of a key.
            context.load_cert_chain(certificate_file, key_file, password=lambda: "")
        except (OSError, ValueError) as error:
            raise BusConnectError(
                f"the certificate {certificate_file} and the key {key_file or 'in it'} cannot be "
                f"used: {error}: they have to be PEM files that belong together, without passphrase"
            ) from error
    return context


def read_credentials(path: Path) -> dict[str, Any]:
    """Return the nats-py options for a credentials file.

    Args:
        path: A ``.creds`` file, a file with an nkey seed, or a file with ``user:password``.

    Raises:
        BusConnectError: The file cannot be read or has another format; the text never quotes it.
        MissingDependencyError: The library for keys is not installed.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_BYTES).decode("ascii", "replace").strip()
    except OSError as error:
        raise BusConnectError(
            f"cannot read the credentials in {path}: {(error.strerror or str(error)).lower()}"
        ) from error
    if "BEGIN NATS USER JWT" in text and (found := _SEED.search(text)):
        _check_seed(path, found[0])
        return {"user_credentials": str(path)}
    if _SEED.fullmatch(text):
        _check_seed(path, text)
        return {"nkeys_seed": str(path)}
    if found := _LOGIN.fullmatch(text):
        return {"user": found[1], "password": found[2]}
    raise BusConnectError(f"{path} holds no credentials: {_KINDS}")


def _check_seed(path: Path, seed: str) -> None:
    try:
        import nkeys
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"the credentials in {path} need the package {error.name!r}: "
            "pip install 'ingenium[nkeys]'"
        ) from error
    try:
        nkeys.from_seed(bytearray(seed.encode())).wipe()
    except (nkeys.NkeysError, ValueError):
        # The reason may quote the content of the file.
        raise BusConnectError(f"{path} holds a seed that is none: {_KINDS}") from None


def is_loopback(host: str) -> bool:
    """Return whether a host is a loopback address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def check_encrypted(address: Address, options: NatsOptions) -> None:
    """Refuse unencrypted connections to other machines.

    Raises:
        BusConnectError: A server is on another machine, and its address is not ``tls://``.
    """
    if options.tls is not None or options.allow_plaintext:
        return
    for server in address.servers:
        split = urlsplit(server)
        if split.scheme != "tls" and not is_loopback(split.hostname or ""):
            raise BusConnectError(
                f"{server} is on another machine, and nothing would be encrypted: write "
                f"tls://{split.netloc}, with INGENIUM_NATS_CA for a certificate of your own, or "
                "set INGENIUM_ALLOW_PLAINTEXT=1 where the network protects itself"
            )

"""New secrets of a deployment: logins of the NATS server, certificates and passwords."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ingenium.components import App
from ingenium.config import Settings
from ingenium.deploy.deploy_plan import DATABASE, NATS, POSTGRESQL, REPLAY, DeployPlan
from ingenium.deploy.local.access import accounts_of
from ingenium.errors import ConfigError, MissingDependencyError
from ingenium.nats_server.account_files import make_accounts
from ingenium.nats_server.files import one_user, with_accounts, write_private
from ingenium.private_files import make_folder

__all__ = ["CERTIFICATE_DAYS", "make_secrets", "secret_manifests", "write_secrets"]

CERTIFICATE_DAYS = 365
"""Days for which new certificates are valid."""

SecretFiles = dict[str, dict[str, str]]
"""By name of a Secret: its entries."""

_BYTES = 32


def make_secrets(
    app: App, plan: DeployPlan, settings: Settings, now: datetime, *, with_keys: bool = False
) -> SecretFiles:
    """Make all secrets of a deployment.

    Args:
        app: The app.
        plan: Its deployment.
        settings: Settings with further subjects of data.
        now: The present time, UTC, from which certificates are valid.
        with_keys: Whether users of the NATS server have nkeys instead of passwords.

    Returns:
        By name of a Secret, the texts of its entries.

    Raises:
        MissingDependencyError: The library for certificates or keys is not installed.
    """
    found: SecretFiles = {}
    if plan.is_historical:
        password = secrets.token_urlsafe(_BYTES)
        found[f"{plan.app}-nats-access"] = {"access.conf": one_user(REPLAY, password)}
        found[plan.login_secret(REPLAY)] = {"credentials": f"{REPLAY}:{password}\n"}
    else:
        made = make_accounts(accounts_of(app, settings), with_keys=with_keys)
        access = with_accounts(made.configuration)
        found[f"{plan.app}-nats-access"] = {"access.conf": access}
        for login, text in made.secrets.items():
            found[plan.login_secret(login)] = {"credentials": text.rstrip("\n") + "\n"}
    if plan.has_nats:
        authority, certificate, key = _certificates(plan, now)
        tls = {"tls.crt": certificate, "tls.key": key, "ca.crt": authority}
        found[f"{plan.app}-nats-tls"] = tls
        found[f"{plan.app}-nats-ca"] = {"ca.crt": authority}
    if plan.has_postgresql:
        users = {work.database_user for work in plan.workloads} | {DATABASE, "reader"}
        for user in sorted(users - {""}):
            name = f"{plan.app}-{POSTGRESQL}-{user}"
            found[name] = {"password": f"{secrets.token_urlsafe(_BYTES)}\n"}
    return found


def secret_manifests(plan: DeployPlan, found: SecretFiles) -> list[dict[str, Any]]:
    """Return secrets as objects of a cluster."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": plan.namespace,
                "labels": {
                    "app.kubernetes.io/part-of": plan.app,
                    "app.kubernetes.io/managed-by": "ingenium",
                },
            },
            "type": "kubernetes.io/tls" if "tls.key" in files else "Opaque",
            "stringData": files,
        }
        for name, files in found.items()
    ]


def write_secrets(found: SecretFiles, folder: Path) -> None:
    """Write secrets as files, readable by their owner only: a folder for each Secret.

    Raises:
        ConfigError: One exists already, or cannot be written.
    """
    if taken := [name for name in found if (folder / name).exists()]:
        raise ConfigError(
            f"{folder / taken[0]} exists: remove {folder}, or name another folder; new secrets "
            "lock out what runs with the old ones"
        )
    try:
        make_folder(folder)
        for name, files in found.items():
            make_folder(folder / name)
            for file, text in files.items():
                write_private(folder / name / file, text)
    except OSError as error:
        raise ConfigError(f"cannot write to {folder}: {error.strerror}") from error


def _certificates(plan: DeployPlan, now: datetime) -> tuple[str, str, str]:
    """Return an authority, and certificate and key of the NATS server, as PEM.

    The key of the authority is forgotten, so nobody can make further certificates.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"certificates need the package {error.name!r}: pip install 'ingenium[deploy]'"
        ) from error
    until = now + timedelta(days=CERTIFICATE_DAYS)

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def begun(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(f"{plan.app} authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(until)
        )

    authority_key = ec.generate_private_key(ec.SECP256R1())
    usage = {
        name: name in {"key_cert_sign", "crl_sign"}
        for name in (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        )
    }
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = (
        begun(f"{plan.app} authority", authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(identifier, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    service = plan.object_name(NATS)
    inner = f"{service}-headless"
    namespace = plan.namespace
    names = [
        service,
        f"{service}.{namespace}",
        f"{service}.{namespace}.svc",
        f"{service}.{namespace}.svc.cluster.local",
        f"*.{inner}",
        f"*.{inner}.{namespace}.svc.cluster.local",
        "localhost",
    ]
    server = (
        begun(service, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=False)
        .add_extension(
            # A server is a client of the others of its cluster.
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (
        authority.public_bytes(pem).decode(),
        server.public_bytes(pem).decode(),
        private.decode(),
    )

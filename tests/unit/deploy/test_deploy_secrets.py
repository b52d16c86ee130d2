"""New secrets: each fits the manifests, is new each time, and is in files of its owner only."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from support.manifest_rules import mounted_secrets, pods
from support.rendered import DEMO, DESK, DESK_SETTINGS, LIVE, ROOT

from ingenium.components import load_app
from ingenium.config import Settings
from ingenium.deploy.deploy_plan import plan_app
from ingenium.deploy.deploy_secrets import make_secrets, secret_manifests, write_secrets
from ingenium.deploy.deploy_settings import DeploySettings, read_settings
from ingenium.deploy.kube.manifests import manifests
from ingenium.errors import ConfigError

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def made(target: str, settings: DeploySettings | None = None, *, with_keys: bool = False):
    app = load_app(str(ROOT / target))
    plan = plan_app(app, target, settings or DeploySettings())
    found = make_secrets(app, plan, Settings.from_environment({}), NOW, with_keys=with_keys)
    return plan, found


@pytest.mark.parametrize("target", [LIVE, DEMO, DESK])
@pytest.mark.parametrize("with_keys", [False, True])
def test_pods_find_every_secret_and_each_of_its_entries(target: str, with_keys: bool) -> None:
    settings = read_settings(DESK_SETTINGS) if target == DESK else DeploySettings()
    plan, found = made(target, settings, with_keys=with_keys)
    wanted = {name for _, pod in pods(manifests(plan)) for name in mounted_secrets(pod)}
    assert wanted - set(found) == ({"broker"} if target == DESK else set())
    for _, pod in pods(manifests(plan)):
        for volume in pod["volumes"]:
            for source in volume.get("projected", {}).get("sources", []):
                for item in source["secret"]["items"]:
                    assert found[source["secret"]["name"]][item["key"]]


def test_secrets_are_new_each_time_and_users_have_different_ones() -> None:
    first, second = made(LIVE)[1], made(LIVE)[1]
    secret = {
        text
        for found in (first, second)
        for name, files in found.items()
        for key, text in files.items()
        if key in {"credentials", "password", "tls.key"}
    }
    counted = [k for f in first.values() for k in f if k in {"credentials", "password", "tls.key"}]
    assert len(secret) == 2 * len(counted)


def test_server_with_keys_knows_public_ones_only() -> None:
    _, found = made(LIVE, with_keys=True)
    seed = found["live-nats-executor-paper"]["credentials"]
    assert seed.startswith("SU")
    access = found["live-nats-access"]["access.conf"]
    assert seed.strip() not in access
    assert "password" not in access


def test_certificate_is_of_the_service_and_its_servers_for_a_year() -> None:
    _, found = made(LIVE)
    files = found["live-nats-tls"]
    certificate = x509.load_pem_x509_certificate(files["tls.crt"].encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [
        "live-nats",
        "live-nats.live",
        "live-nats.live.svc",
        "live-nats.live.svc.cluster.local",
        "*.live-nats-headless",
        "*.live-nats-headless.live.svc.cluster.local",
        "localhost",
    ]
    assert certificate.not_valid_after_utc == NOW + timedelta(days=365)
    authority = x509.load_pem_x509_certificate(found["live-nats-ca"]["ca.crt"].encode())
    certificate.verify_directly_issued_by(authority)
    ssl.create_default_context(cadata=found["live-nats-ca"]["ca.crt"])
    assert "PRIVATE KEY" not in found["live-nats-ca"]["ca.crt"]


def test_objects_are_secrets_of_the_namespace() -> None:
    plan, found = made(LIVE)
    objects = {each["metadata"]["name"]: each for each in secret_manifests(plan, found)}
    assert objects["live-nats-tls"]["type"] == "kubernetes.io/tls"
    assert {each["metadata"]["namespace"] for each in objects.values()} == {"live"}
    assert objects["live-nats-reader"]["stringData"] == found["live-nats-reader"]


def test_files_are_for_their_owner_and_are_never_replaced(tmp_path: Path) -> None:
    _, found = made(DEMO)
    write_secrets(found, tmp_path / "secrets")
    written = [path for path in (tmp_path / "secrets").rglob("*") if path.is_file()]
    assert len(written) == sum(map(len, found.values()))
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    with pytest.raises(ConfigError, match="exists: remove"):
        write_secrets(found, tmp_path / "secrets")

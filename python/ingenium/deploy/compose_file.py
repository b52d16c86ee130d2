"""A compose file of a deployment, for a machine with docker or podman and no cluster."""

from __future__ import annotations

from typing import Any

from ingenium.deploy.deploy_plan import (
    CREDENTIALS,
    DATA_DIRECTORY,
    DATABASE,
    HEALTH_PORT,
    NATS,
    POSTGRESQL,
    SECRETS,
    DeployPlan,
    Workload,
)
from ingenium.deploy.health_endpoint import READY_PATH
from ingenium.deploy.kube.postgresql_manifests import FIRST_START
from ingenium.deploy.nats_configuration import ACCESS_FILE, nats_configuration

__all__ = ["STATE_FOLDER", "compose_file"]

Object = dict[str, Any]

STATE_FOLDER = "state"
"""Folder beside the compose file, with a folder for each part that keeps state."""

_USER = "${INGENIUM_USER:-10001:10001}"
_BUS, _OUTSIDE, _TABLES = "bus", "outside", "database"
_PROBE = (
    "import urllib.request as r; "
    f"r.urlopen('http://127.0.0.1:{HEALTH_PORT}{READY_PATH}', timeout=4)"
)


def compose_file(plan: DeployPlan, secrets: str) -> tuple[Object, list[str]]:
    """Return the compose file of a deployment, and the folders of its state.

    Args:
        plan: The deployment.
        secrets: Folder with the files of `ingenium deploy secrets`, relative to the compose file.
    """
    maker = _Compose(plan, secrets)
    if plan.has_nats:
        maker.add_nats()
    if plan.has_postgresql:
        maker.add_postgresql()
    for work in plan.workloads:
        # The control plane listens within its container only, where a cluster reaches it by a
        # forwarded port and compose has nothing of the kind: it runs on the machine itself.
        if work.role != "dashboard":
            maker.add(work)
    return maker.content(), maker.folders


class _Compose:
    """Collects services, and the secrets, volumes and networks that they name."""

    def __init__(self, plan: DeployPlan, secrets: str) -> None:
        self._plan = plan
        self._folder = secrets.rstrip("/")
        self._services: dict[str, Object] = {}
        self._secrets: dict[str, Object] = {}
        self.folders: list[str] = []
        self._configs: dict[str, Object] = {}
        self._networks: dict[str, Object] = {}

    def add_nats(self) -> None:
        """Add one NATS server."""
        plan = self._plan
        name = plan.object_name(NATS)
        self._configs["nats"] = {"content": _escaped(nats_configuration(plan, ""))}
        access = f"{name}-access"
        self._service(
            name,
            {
                "image": plan.settings.nats.image,
                "command": ["--config", "/run/nats/nats.conf"],
                "environment": {"POD_NAME": name, **plan.settings.nats.env},
                # For the command line on this machine, which logs in as everything else.
                "ports": ["127.0.0.1:4222:4222"],
                "configs": [{"source": "nats", "target": "/run/nats/nats.conf"}],
                "secrets": [
                    self._secret(access, ACCESS_FILE, f"{SECRETS}/nats-access/{ACCESS_FILE}"),
                    *(
                        self._secret(f"{name}-tls", file, f"{SECRETS}/nats-tls/{file}")
                        for file in ("tls.crt", "tls.key")
                    ),
                ],
                "volumes": [self._state("nats", "/data")],
                "stop_signal": "SIGUSR2",
                "stop_grace_period": "60s",
                "healthcheck": {
                    "test": [
                        "CMD",
                        "wget",
                        "-q",
                        "-O",
                        "/dev/null",
                        "http://127.0.0.1:8222/healthz?js-server-only=true",
                    ],
                    "interval": "5s",
                    "retries": 60,
                },
            },
            [_BUS, _OUTSIDE],
        )

    def add_postgresql(self) -> None:
        """Add the database."""
        plan = self._plan
        name = plan.object_name(POSTGRESQL)
        self._configs["postgresql"] = {"content": _escaped(FIRST_START)}
        self._service(
            name,
            {
                "image": plan.settings.postgresql.image,
                "environment": {
                    "PGDATA": "/var/lib/postgresql/data/pgdata",
                    "POSTGRES_DB": DATABASE,
                    "POSTGRES_INITDB_ARGS": "--auth-host=scram-sha-256 --data-checksums",
                    "POSTGRES_PASSWORD_FILE": f"{SECRETS}/postgresql/{DATABASE}",
                    "POSTGRES_USER": DATABASE,
                    **plan.settings.postgresql.env,
                },
                "configs": [
                    {"source": "postgresql", "target": "/docker-entrypoint-initdb.d/reader.sh"}
                ],
                "secrets": [
                    self._secret(f"{name}-{user}", "password", f"{SECRETS}/postgresql/{user}")
                    for user in (DATABASE, "reader")
                ],
                "tmpfs": ["/tmp", "/var/run/postgresql"],  # noqa: S108 - of the container
                "volumes": [self._state("postgresql", "/var/lib/postgresql/data")],
                "healthcheck": {
                    "test": ["CMD", "pg_isready", "--username", DATABASE, "--dbname", DATABASE],
                    "interval": "5s",
                    "retries": 60,
                },
            },
            [_TABLES],
        )

    def add(self, work: Workload) -> None:
        """Add a workload."""
        plan = self._plan
        name = plan.object_name(work.name)
        secrets = [
            self._secret(plan.login_secret(login), "credentials", f"{CREDENTIALS}/{login}")
            for login in work.logins
        ]
        if plan.has_nats and work.logins:
            secrets.append(
                self._secret(f"{plan.app}-nats-ca", "ca.crt", f"{SECRETS}/nats-ca/ca.crt")
            )
        if work.database_user:
            user = work.database_user
            secret = f"{plan.app}-{POSTGRESQL}-{user}"
            secrets.append(self._secret(secret, "password", f"{SECRETS}/postgresql/{user}"))
        networks = [_BUS] if work.logins else []
        networks += [_TABLES] if work.database_user else []
        networks += [_OUTSIDE] if work.has_internet else []
        # One server keeps one copy of a stream.
        variables = {**work.environment, "INGENIUM_STREAM_REPLICAS": "1"}
        service: Object = {
            "image": work.image,
            "command": [_escaped(each) for each in work.args],
            "environment": {key: _escaped(value) for key, value in sorted(variables.items())},
            "secrets": secrets,
            **({"labels": dict(work.settings.labels)} if work.settings.labels else {}),
            "volumes": [
                *([self._state(work.name, DATA_DIRECTORY)] if work.form == "stateful" else []),
                *(
                    f"{self._folder}/{secret}:{path}:ro"
                    for secret, path in sorted(work.settings.secret_files.items())
                ),
            ],
            "env_file": [f"./{each.partition(':')[2]}.env" for each in work.settings.env_from],
            "depends_on": self._needed(work),
            "stop_grace_period": "30s",
            "restart": "on-failure:6" if work.form == "once" else "unless-stopped",
        }
        if work.form != "stateful":
            service["tmpfs"] = ["/tmp", f"{DATA_DIRECTORY}:mode=1777"]  # noqa: S108
        if work.has_health and work.form != "once":
            service["healthcheck"] = {
                "test": ["CMD", "python", "-c", _PROBE],
                "interval": "30s",
                "timeout": "10s",
                "start_period": "60s",
            }
        self._service(name, {key: value for key, value in service.items() if value}, networks)

    def content(self) -> Object:
        """Return the whole file."""
        parts = {
            "services": self._services,
            "networks": self._networks,
            "configs": self._configs,
            "secrets": self._secrets,
        }
        return {"name": self._plan.app, **{key: value for key, value in parts.items() if value}}

    def _needed(self, work: Workload) -> Object:
        needed = [NATS] if self._plan.has_nats and work.logins else []
        needed += [POSTGRESQL] if self._plan.has_postgresql and work.database_user else []
        return {self._plan.object_name(each): {"condition": "service_healthy"} for each in needed}

    def _service(self, name: str, service: Object, networks: list[str]) -> None:
        for network in networks:
            # What has no reason to reach the Internet has no way to it.
            self._networks[network] = {} if network == _OUTSIDE else {"internal": True}
        self._services[name] = {
            "image": service.pop("image"),
            "user": _USER,
            "read_only": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "tmpfs": ["/tmp"],  # noqa: S108 - of the container
            **({"networks": networks} if networks else {"network_mode": "none"}),
            "restart": "unless-stopped",
            **service,
        }

    def _secret(self, secret: str, entry: str, target: str) -> Object:
        name = f"{secret}-{entry}"
        self._secrets[name] = {"file": f"{self._folder}/{secret}/{entry}"}
        return {"source": name, "target": target}

    def _state(self, name: str, target: str) -> str:
        # Folders of the machine, since a volume belongs to root, which nothing here runs as.
        self.folders.append(f"{STATE_FOLDER}/{name}")
        return f"./{self.folders[-1]}:{target}"


def _escaped(text: str) -> str:
    """Return a text in which compose replaces nothing."""
    return text.replace("$", "$$")

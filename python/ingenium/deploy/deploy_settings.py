"""Settings of a deployment: ``deploy.toml`` beside the file of an app."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ingenium.errors import ConfigError

__all__ = [
    "SETTINGS_FILE",
    "DashboardSettings",
    "DeploySettings",
    "NatsSettings",
    "PostgresqlSettings",
    "WorkerSettings",
    "WorkloadSettings",
    "read_settings",
]

SETTINGS_FILE = "deploy.toml"
_LARGEST_BYTES = 262_144


def _amounts(cpu: str, memory: str) -> dict[str, str]:
    amounts: dict[str, str] = msgspec.field(default_factory=lambda: {"cpu": cpu, "memory": memory})
    return amounts


class _Table(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A table of the file; an unknown key is an error, since it would have no effect."""


class WorkloadSettings(_Table):
    """Settings of one workload, by the name of its component.

    Attributes:
        image: Image instead of the app's; needed for a component in another language.
        args: Arguments of that image; those of the component's command when left out.
        labels: Further labels of the workload and its pods.
        annotations: Further annotations of both.
        requests: Requested resources, ``cpu`` and ``memory``.
        limits: Limits of both.
        env: Variables.
        env_from: Objects whose entries become variables: ``"configmap:NAME"`` or ``"secret:NAME"``.
        secret_files: By name of a Secret, the folder in which its entries are files.
        node_selector: Labels of the nodes that it may run on.
        tolerations: Taints that it tolerates, as in a pod.
        replicas: Number of pods, for components in other languages that share their work.
        storage: Size of the volume of its state.
        storage_class: Class of the volume; the cluster's default when left out.
        internet: Whether it may reach public addresses on port 443; for ingestors and executors.
        max_unavailable: Pods that a drain of a node may stop; 0 makes a drain wait for an operator.
        liveness: A probe of a component in another language, as in a pod.
        readiness: The same for its readiness.
    """

    image: str = ""
    args: list[str] | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    requests: dict[str, str] = _amounts("100m", "256Mi")
    limits: dict[str, str] = _amounts("1", "512Mi")
    env: dict[str, str] = {}
    env_from: list[str] = []
    secret_files: dict[str, str] = {}
    node_selector: dict[str, str] = {}
    tolerations: list[dict[str, Any]] = []
    replicas: int = 1
    storage: str = "1Gi"
    storage_class: str = ""
    internet: bool | None = None
    max_unavailable: int = 1
    liveness: dict[str, Any] | None = None
    readiness: dict[str, Any] | None = None


class NatsSettings(WorkloadSettings):
    """The NATS server: rendered, or one that is there.

    Attributes:
        url: Address of a server that is there; none is rendered then.
        ca_secret: Secret with its authorities, as ``ca.crt``; the system's when left out.
        cidr: Addresses of that server, for network policies; every address when left out.
        memory_store: Limit of streams in memory.
        file_store: Limit of streams in files, below `storage`.
    """

    url: str = ""
    ca_secret: str = ""
    cidr: str = ""
    image: str = "nats:2.15.1-alpine"
    replicas: int = 3
    requests: dict[str, str] = _amounts("250m", "1Gi")
    limits: dict[str, str] = _amounts("2", "2Gi")
    storage: str = "10Gi"
    memory_store: str = "1GB"
    file_store: str = "8GB"


class PostgresqlSettings(WorkloadSettings):
    """The database of the recorder: rendered, or one that is there.

    Attributes:
        url: URL of a database that is there, without a password:
            ``postgresql://user@host/name``; none is rendered then.
        cidr: Addresses of that database, for network policies; every address when left out.
    """

    url: str = ""
    cidr: str = ""
    image: str = "postgres:17-bookworm"
    requests: dict[str, str] = _amounts("250m", "512Mi")
    limits: dict[str, str] = _amounts("2", "1Gi")
    storage: str = "20Gi"


class DashboardSettings(WorkloadSettings):
    """The control plane.

    Attributes:
        enabled: Whether it is rendered.
        role: The most that anybody may do with it: ``read``, ``operate`` or ``trade``.
    """

    enabled: bool = True
    role: str = "operate"


class RecorderSettings(WorkloadSettings):
    """The recorder.

    Attributes:
        enabled: Whether it is rendered, with PostgreSQL.
    """

    enabled: bool = True


class WorkerSettings(WorkloadSettings):
    """Workers of sweeps.

    Attributes:
        most: Largest number of pods that KEDA starts; no workers are rendered for 0.
        backlog: Backtests for each pod.
        keda_namespace: Namespace of KEDA's operator, which reads the queue's length.
    """

    most: int = 0
    backlog: int = 4
    keda_namespace: str = "keda"
    requests: dict[str, str] = _amounts("1", "1Gi")
    limits: dict[str, str] = _amounts("1", "2Gi")


class DeploySettings(_Table):
    """Settings of a deployment.

    Attributes:
        image: Image with the app, best by its digest: ``registry/app@sha256:...``; the app's name
            when left out.
        pull_secrets: Names of Secrets of the image's registry.
        namespace: Namespace; the app's name when left out.
        create_namespace: Whether the namespace is rendered, with its pod-security labels.
        patches: Files of Kustomize patches, beside the settings, applied last.
        workloads: Settings of components, by name; those of ``"*"`` hold for all that have none.
        nats: The NATS server.
        postgresql: The database.
        recorder: The recorder.
        dashboard: The control plane.
        workers: Workers of sweeps.
    """

    image: str = ""
    pull_secrets: list[str] = []
    namespace: str = ""
    create_namespace: bool = True
    patches: list[str] = []
    workloads: dict[str, WorkloadSettings] = {}
    nats: NatsSettings = msgspec.field(default_factory=NatsSettings)
    postgresql: PostgresqlSettings = msgspec.field(default_factory=PostgresqlSettings)
    recorder: RecorderSettings = msgspec.field(default_factory=RecorderSettings)
    dashboard: DashboardSettings = msgspec.field(default_factory=DashboardSettings)
    workers: WorkerSettings = msgspec.field(default_factory=WorkerSettings)


def read_settings(path: Path) -> DeploySettings:
    """Read the settings of a deployment.

    Args:
        path: The file.

    Raises:
        ConfigError: It cannot be read, or holds an unknown key or a wrong value; the text has the
            place.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > _LARGEST_BYTES:
        raise ConfigError(f"{path} has {len(content):,} bytes: at most {_LARGEST_BYTES:,} are read")
    try:
        return msgspec.toml.decode(content, type=DeploySettings)
    except (msgspec.DecodeError, ValueError) as error:
        raise ConfigError(f"{path} cannot be used: {error}") from error

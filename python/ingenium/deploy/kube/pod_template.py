"""The pod of a workload, within the restricted level of pod security."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingenium.deploy.deploy_plan import (
    CREDENTIALS,
    DATA_DIRECTORY,
    HEALTH_PORT,
    POSTGRESQL,
    SECRETS,
    DeployPlan,
    Workload,
)
from ingenium.deploy.deploy_settings import WorkloadSettings
from ingenium.deploy.health_endpoint import LIVE_PATH, READY_PATH
from ingenium.errors import ConfigError

__all__ = [
    "APP_LABEL",
    "STATE",
    "Volumes",
    "container_security",
    "labels_of",
    "pod_of",
    "pod_security",
    "selector_of",
    "shared_pod",
    "template_of",
    "with_settings",
]

Object = dict[str, Any]

APP_LABEL = "app.kubernetes.io/part-of"
STATE = "state"
"""Name of the volume of a workload's state."""

_COMPONENT_LABEL = "app.kubernetes.io/component"
_ROLE_LABEL = "ingenium/role"
_USER = 10001
_GRACE_SECONDS = 30
_TEMPORARY = "64Mi"


class Volumes:
    """Volumes of a pod and where they are mounted, in the order of their addition."""

    def __init__(self) -> None:
        self.volumes: list[Object] = []
        self.mounts: list[Object] = []

    def add(self, name: str, path: str, source: Object, *, read_only: bool = True) -> None:
        """Add a volume and mount it."""
        self.volumes.append({"name": name, **source})
        self.mount(name, path, read_only=read_only)

    def mount(self, name: str, path: str, *, read_only: bool = True) -> None:
        """Mount a volume that the pod has."""
        self.mounts.append(
            {"name": name, "mountPath": path} | ({"readOnly": True} if read_only else {})
        )

    def add_empty(self, name: str, path: str, size: str = _TEMPORARY) -> None:
        """Add a folder that is empty at each start."""
        self.add(name, path, {"emptyDir": {"sizeLimit": size}}, read_only=False)

    def add_secrets(self, name: str, path: str, secrets: Mapping[str, Mapping[str, str]]) -> None:
        """Add files of Secrets: by name of the Secret, file names by key."""
        sources = [
            {
                "secret": {
                    "name": secret,
                    "items": [{"key": key, "path": file} for key, file in files.items()],
                }
            }
            for secret, files in secrets.items()
        ]
        # Readable by the pod's group, which is its user's own.
        self.add(name, path, {"projected": {"defaultMode": 0o440, "sources": sources}})


def labels_of(plan: DeployPlan, name: str, role: str) -> dict[str, str]:
    """Return the labels of all objects of a workload."""
    return {
        "app.kubernetes.io/name": "ingenium",
        APP_LABEL: plan.app,
        _COMPONENT_LABEL: name,
        "app.kubernetes.io/managed-by": "ingenium",
        _ROLE_LABEL: role,
    }


def selector_of(plan: DeployPlan, name: str) -> dict[str, str]:
    """Return the labels by which a workload finds its pods."""
    return {APP_LABEL: plan.app, _COMPONENT_LABEL: name}


def pod_security(user: int = _USER) -> Object:
    """Return the security context of a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> Object:
    """Return the security context of a container."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }


def shared_pod(plan: DeployPlan, name: str, settings: WorkloadSettings) -> Object:
    """Return what every pod has."""
    selector = {"matchLabels": selector_of(plan, name)}
    spread = [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": selector,
        }
        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
    ]
    return {
        "serviceAccountName": plan.app,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "topologySpreadConstraints": spread,
        **(
            {"imagePullSecrets": [{"name": each} for each in plan.settings.pull_secrets]}
            if plan.settings.pull_secrets
            else {}
        ),
        **({"nodeSelector": dict(settings.node_selector)} if settings.node_selector else {}),
        **({"tolerations": list(settings.tolerations)} if settings.tolerations else {}),
    }


def with_settings(container: Object, settings: WorkloadSettings) -> Object:
    """Return a container with resources and variables of its settings."""
    sources = [_source_of(each) for each in settings.env_from]
    return {
        **container,
        **({"envFrom": sources} if sources else {}),
        "resources": {"requests": dict(settings.requests), "limits": dict(settings.limits)},
        "securityContext": container_security(),
    }


def template_of(
    plan: DeployPlan,
    name: str,
    role: str,
    settings: WorkloadSettings,
    pod: Object,
    annotations: Mapping[str, str] | None = None,
) -> Object:
    """Return the template of a workload's pods."""
    notes = {**settings.annotations, **(annotations or {})}
    return {
        "metadata": {
            "labels": {**settings.labels, **labels_of(plan, name, role)},
            **({"annotations": notes} if notes else {}),
        },
        "spec": pod,
    }


def pod_of(plan: DeployPlan, work: Workload) -> Object:
    """Return the pod of a workload.

    Raises:
        ConfigError: A setting cannot be used.
    """
    volumes = Volumes()
    volumes.add_empty("tmp", "/tmp")  # noqa: S108 - a volume of the pod
    if work.form == "stateful":
        volumes.mount(STATE, DATA_DIRECTORY, read_only=False)
    elif work.role != "backtest":
        volumes.add_empty(STATE, DATA_DIRECTORY)
    if work.logins:
        volumes.add_secrets(
            "nats-credentials",
            CREDENTIALS,
            {plan.login_secret(login): {"credentials": login} for login in work.logins},
        )
        if ca := plan.settings.nats.ca_secret or (f"{plan.app}-nats-ca" if plan.has_nats else ""):
            volumes.add_secrets("nats-ca", f"{SECRETS}/nats-ca", {ca: {"ca.crt": "ca.crt"}})
    if work.database_user:
        secret = f"{plan.app}-{POSTGRESQL}-{work.database_user}"
        volumes.add_secrets(
            "postgresql", f"{SECRETS}/postgresql", {secret: {"password": work.database_user}}
        )
    for number, (secret, path) in enumerate(sorted(work.settings.secret_files.items())):
        if not path.startswith("/"):
            raise ConfigError(f"secret_files has {path!r} for {secret!r}: use an absolute folder")
        source = {"secret": {"secretName": secret, "defaultMode": 0o440}}
        volumes.add(f"secret-{number}", path, source)
    container: Object = {
        "name": work.name.replace("_", "-"),
        "image": work.image,
        **({"args": list(work.args)} if work.args else {}),
        "env": [{"name": key, "value": value} for key, value in sorted(work.environment.items())],
        **(
            {"ports": [{"name": "health", "containerPort": HEALTH_PORT}]} if work.has_health else {}
        ),
        **_probes(work),
        "volumeMounts": volumes.mounts,
    }
    return {
        **shared_pod(plan, work.name, work.settings),
        "containers": [with_settings(container, work.settings)],
        "volumes": volumes.volumes,
    }


def _probes(work: Workload) -> Object:
    if work.form == "once":
        return {}
    if not work.has_health:
        own = {"livenessProbe": work.settings.liveness, "readinessProbe": work.settings.readiness}
        return {name: probe for name, probe in own.items() if probe is not None}
    live = {"httpGet": {"path": LIVE_PATH, "port": "health"}, "timeoutSeconds": 5}
    ready = {"httpGet": {"path": READY_PATH, "port": "health"}, "timeoutSeconds": 5}
    return {
        # The endpoint opens once the process has its connection to the server.
        "startupProbe": {**live, "periodSeconds": 5, "failureThreshold": 60},
        "livenessProbe": {**live, "periodSeconds": 10, "failureThreshold": 6},
        "readinessProbe": {**ready, "periodSeconds": 5, "failureThreshold": 2},
    }


def _source_of(text: str) -> Object:
    kind, _, name = text.partition(":")
    if not name or kind not in {"configmap", "secret"}:
        raise ConfigError(f"env_from has {text!r}: use 'configmap:NAME' or 'secret:NAME'")
    return {f"{'configMap' if kind == 'configmap' else 'secret'}Ref": {"name": name}}

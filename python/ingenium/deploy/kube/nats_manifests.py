"""Manifests of the NATS server: a StatefulSet with JetStream, by the conventions of its chart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from ingenium.deploy.deploy_plan import NATS, SECRETS, DeployPlan
from ingenium.deploy.kube.pod_template import (
    Volumes,
    selector_of,
    shared_pod,
    template_of,
    with_settings,
)
from ingenium.deploy.kube.workload_manifests import budget_of, claim_of, head_of
from ingenium.deploy.nats_configuration import (
    ACCESS_FILE,
    LAME_DUCK_SECONDS,
    nats_configuration,
)

__all__ = ["nats_manifests"]

Object = dict[str, Any]

_PORTS = {"client": 4222, "cluster": 6222, "monitor": 8222}


def nats_manifests(plan: DeployPlan) -> Iterator[Object]:
    """Yield the objects of the NATS server."""
    settings = plan.settings.nats
    name = plan.object_name(NATS)
    headless = f"{name}-headless"
    host = f"{name}-{{}}.{headless}" if settings.replicas > 1 else ""
    text = nats_configuration(plan, host)
    head = head_of(plan, NATS, NATS)
    selector = selector_of(plan, NATS)
    yield {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        **head,
        "data": {"nats.conf": text},
    }
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        **head,
        "spec": {
            "selector": selector,
            "ports": [{"name": "client", "port": 4222, "targetPort": "client"}],
        },
    }
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**head["metadata"], "name": headless},
        "spec": {
            "clusterIP": "None",
            # Servers find each other before they are ready.
            "publishNotReadyAddresses": True,
            "selector": selector,
            "ports": [
                {"name": port, "port": number, "targetPort": port}
                for port, number in _PORTS.items()
            ],
        },
    }
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    head = {
        "metadata": {
            **head["metadata"],
            "labels": {**settings.labels, **head["metadata"]["labels"]},
            **({"annotations": dict(settings.annotations)} if settings.annotations else {}),
        }
    }
    yield {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        **head,
        "spec": {
            "serviceName": headless,
            "replicas": settings.replicas,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": selector},
            "template": template_of(
                plan,
                NATS,
                NATS,
                settings,
                _pod(plan),
                # A server reads its configuration at its start.
                {"ingenium/configuration": digest},
            ),
            "volumeClaimTemplates": [claim_of("data", settings.storage, settings.storage_class)],
        },
    }
    yield budget_of(plan, NATS, NATS, settings.max_unavailable)


def _pod(plan: DeployPlan) -> Object:
    settings = plan.settings.nats
    name = plan.object_name(NATS)
    volumes = Volumes()
    volumes.add_empty("tmp", "/tmp")  # noqa: S108 - a volume of the pod
    volumes.mount("data", "/data", read_only=False)
    volumes.add("configuration", "/run/nats", {"configMap": {"name": name}})
    volumes.add_secrets(
        "access", f"{SECRETS}/nats-access", {f"{name}-access": {ACCESS_FILE: ACCESS_FILE}}
    )
    files = {each: each for each in ("tls.crt", "tls.key", "ca.crt")}
    volumes.add_secrets("tls", f"{SECRETS}/nats-tls", {f"{name}-tls": files})

    def probe(query: str, period: int, failures: int) -> Object:
        return {
            "httpGet": {"path": f"/healthz{query}", "port": "monitor"},
            "periodSeconds": period,
            "timeoutSeconds": 5,
            "failureThreshold": failures,
        }

    container: Object = {
        "name": NATS,
        "image": settings.image,
        "args": ["--config", "/run/nats/nats.conf"],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            *({"name": key, "value": value} for key, value in sorted(settings.env.items())),
        ],
        "ports": [{"name": port, "containerPort": number} for port, number in _PORTS.items()],
        # The whole health only at the start: a server that recovers its streams serves nothing.
        "startupProbe": probe("", 10, 90),
        "livenessProbe": probe("?js-enabled-only=true", 30, 3),
        "readinessProbe": probe("?js-server-only=true", 10, 3),
        "lifecycle": {"preStop": {"exec": {"command": ["nats-server", "-sl=ldm=/tmp/nats.pid"]}}},
        "volumeMounts": volumes.mounts,
    }
    pod = shared_pod(plan, NATS, settings)
    for each in pod["topologySpreadConstraints"]:
        if each["topologyKey"] == "kubernetes.io/hostname":
            # Two servers on one node would fail together.
            each["whenUnsatisfiable"] = "DoNotSchedule"
    return {
        **pod,
        "terminationGracePeriodSeconds": LAME_DUCK_SECONDS + 20,
        "containers": [with_settings(container, settings)],
        "volumes": volumes.volumes,
    }

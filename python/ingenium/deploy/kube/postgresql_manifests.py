"""Manifests of the recorder's database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingenium.bus.roles import READER
from ingenium.deploy.deploy_plan import DATABASE, POSTGRESQL, SECRETS, DeployPlan
from ingenium.deploy.kube.pod_template import (
    Volumes,
    pod_security,
    selector_of,
    shared_pod,
    template_of,
    with_settings,
)
from ingenium.deploy.kube.workload_manifests import budget_of, claim_of, head_of

__all__ = ["FIRST_START", "POSTGRESQL_USER", "postgresql_manifests"]

Object = dict[str, Any]

POSTGRESQL_USER = 999
"""User of the image on Debian."""

FIRST_START = f"""\
#!/bin/sh
# Runs once, on an empty volume: the user of the control plane, who may read everything.
set -eu
psql --set=ON_ERROR_STOP=1 --set=password="$(head -n 1 {SECRETS}/postgresql/{READER})" <<'SQL'
CREATE ROLE {READER} LOGIN PASSWORD :'password';
GRANT pg_read_all_data TO {READER};
SQL
"""


def postgresql_manifests(plan: DeployPlan) -> Iterator[Object]:
    """Yield the objects of the database."""
    settings = plan.settings.postgresql
    name = plan.object_name(POSTGRESQL)
    selector = selector_of(plan, POSTGRESQL)
    head = head_of(plan, POSTGRESQL, POSTGRESQL)
    yield {"apiVersion": "v1", "kind": "ConfigMap", **head, "data": {"reader.sh": FIRST_START}}
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        **head,
        "spec": {
            "selector": selector,
            "ports": [{"name": "sql", "port": 5432, "targetPort": "sql"}],
        },
    }
    yield {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        **head,
        "spec": {
            "serviceName": name,
            "replicas": 1,
            "selector": {"matchLabels": selector},
            "template": template_of(plan, POSTGRESQL, POSTGRESQL, settings, _pod(plan)),
            "volumeClaimTemplates": [claim_of("data", settings.storage, settings.storage_class)],
        },
    }
    yield budget_of(plan, POSTGRESQL, POSTGRESQL, settings.max_unavailable)


def _pod(plan: DeployPlan) -> Object:
    settings = plan.settings.postgresql
    name = plan.object_name(POSTGRESQL)
    volumes = Volumes()
    volumes.add_empty("tmp", "/tmp")  # noqa: S108 - a volume of the pod
    volumes.add_empty("sockets", "/var/run/postgresql")
    volumes.mount("data", "/var/lib/postgresql/data", read_only=False)
    volumes.add("first-start", "/docker-entrypoint-initdb.d", {"configMap": {"name": name}})
    passwords = {f"{name}-{user}": {"password": user} for user in (DATABASE, READER)}
    volumes.add_secrets("passwords", f"{SECRETS}/postgresql", passwords)
    ready = {"exec": {"command": ["pg_isready", "--username", DATABASE, "--dbname", DATABASE]}}
    live = {"exec": {"command": ["pg_isready", "--quiet", "--timeout", "5"]}}
    variables = {
        "PGDATA": "/var/lib/postgresql/data/pgdata",
        "POSTGRES_DB": DATABASE,
        "POSTGRES_INITDB_ARGS": "--auth-host=scram-sha-256 --data-checksums",
        "POSTGRES_PASSWORD_FILE": f"{SECRETS}/postgresql/{DATABASE}",
        "POSTGRES_USER": DATABASE,
        **settings.env,
    }
    container: Object = {
        "name": POSTGRESQL,
        "image": settings.image,
        "env": [{"name": key, "value": value} for key, value in sorted(variables.items())],
        "ports": [{"name": "sql", "containerPort": 5432}],
        "startupProbe": {**live, "periodSeconds": 5, "timeoutSeconds": 6, "failureThreshold": 60},
        "livenessProbe": {**live, "periodSeconds": 30, "timeoutSeconds": 6, "failureThreshold": 4},
        "readinessProbe": {**ready, "periodSeconds": 10, "timeoutSeconds": 6},
        "volumeMounts": volumes.mounts,
    }
    return {
        **shared_pod(plan, POSTGRESQL, settings),
        "securityContext": pod_security(POSTGRESQL_USER),
        "terminationGracePeriodSeconds": 60,
        "containers": [with_settings(container, settings)],
        "volumes": volumes.volumes,
    }

"""Manifests of the workloads of an app: one each, with a disruption budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingenium.deploy.deploy_plan import WORKER, DeployPlan, Workload
from ingenium.deploy.kube.pod_template import (
    STATE,
    labels_of,
    pod_of,
    selector_of,
    template_of,
)
from ingenium.errors import ConfigError
from ingenium.subjects.server_names import SWEEP_JOBS_NAME

__all__ = ["budget_of", "claim_of", "head_of", "manifests_of"]

Object = dict[str, Any]

_RETRIES = 6


def manifests_of(plan: DeployPlan, work: Workload, schedule: str = "") -> Iterator[Object]:
    """Yield the objects of a workload.

    Args:
        plan: The deployment.
        work: The workload.
        schedule: Times of a CronJob, for a workload that runs to its end; a Job when left out.

    Raises:
        ConfigError: A setting cannot be used.
    """
    if schedule and work.form != "once":
        raise ConfigError(f"{work.name} runs until it is stopped: a schedule is for backtests")
    head = head_of(plan, work.name, work.role, work)
    template = template_of(plan, work.name, work.role, work.settings, pod_of(plan, work))
    selector = {"matchLabels": selector_of(plan, work.name)}
    if work.form == "once":
        template["spec"]["restartPolicy"] = "OnFailure"
        job = {"backoffLimit": _RETRIES, "template": template}
        if schedule:
            cron = {
                "schedule": schedule,
                "concurrencyPolicy": "Forbid",
                "jobTemplate": {"spec": job},
            }
            yield {"apiVersion": "batch/v1", "kind": "CronJob", **head, "spec": cron}
        else:
            yield {"apiVersion": "batch/v1", "kind": "Job", **head, "spec": job}
        return
    if work.form == "stateful":
        name = head["metadata"]["name"]
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            **head_of(plan, work.name, work.role),
            # A StatefulSet wants one; it takes no traffic.
            "spec": {"clusterIP": "None", "selector": selector["matchLabels"]},
        }
        yield {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            **head,
            "spec": {
                "serviceName": name,
                "replicas": work.settings.replicas,
                "selector": selector,
                "template": template,
                "volumeClaimTemplates": [
                    claim_of(STATE, work.settings.storage, work.settings.storage_class)
                ],
            },
        }
    else:
        # KEDA counts the workers.
        count = {} if work.role == WORKER else {"replicas": work.settings.replicas}
        yield {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            **head,
            "spec": {
                **count,
                # Two would send the same data, or record the same events.
                "strategy": {"type": "Recreate"},
                "selector": selector,
                "template": template,
            },
        }
    yield budget_of(plan, work.name, work.role, work.settings.max_unavailable)
    if work.role == WORKER:
        yield _scaling_of(plan, work)


def head_of(plan: DeployPlan, name: str, role: str, work: Workload | None = None) -> Object:
    """Return the metadata of an object of a workload."""
    own = work.settings if work is not None else None
    notes = own.annotations if own is not None else {}
    return {
        "metadata": {
            "name": plan.object_name(name),
            "namespace": plan.namespace,
            "labels": {**(own.labels if own else {}), **labels_of(plan, name, role)},
            **({"annotations": dict(notes)} if notes else {}),
        }
    }


def claim_of(name: str, size: str, storage_class: str) -> Object:
    """Return the claim of a volume."""
    return {
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            **({"storageClassName": storage_class} if storage_class else {}),
            "resources": {"requests": {"storage": size}},
        },
    }


def budget_of(plan: DeployPlan, name: str, role: str, most: int) -> Object:
    """Return the disruption budget of a workload."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        **head_of(plan, name, role),
        "spec": {
            "maxUnavailable": most,
            "selector": {"matchLabels": selector_of(plan, name)},
        },
    }


def _scaling_of(plan: DeployPlan, work: Workload) -> Object:
    """Return how KEDA scales the workers, by the length of the work queue."""
    settings = plan.settings.workers
    if not plan.has_nats:
        raise ConfigError(
            "[workers] are scaled by the monitoring pages of the rendered NATS server, and [nats] "
            "names another one: scale the workers yourself, or leave url out"
        )
    name = plan.object_name(work.name)
    monitor = f"{plan.app}-nats-headless.{plan.namespace}.svc.cluster.local:8222"
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        **head_of(plan, work.name, work.role),
        "spec": {
            "scaleTargetRef": {"name": name},
            "minReplicaCount": 0,
            "maxReplicaCount": settings.most,
            "triggers": [
                {
                    "type": "nats-jetstream",
                    "metadata": {
                        "natsServerMonitoringEndpoint": monitor,
                        "account": "$G",
                        "stream": SWEEP_JOBS_NAME,
                        "consumer": "workers",
                        "lagThreshold": str(settings.backlog),
                        "activationLagThreshold": "0",
                    },
                }
            ],
        },
    }

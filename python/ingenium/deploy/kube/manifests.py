"""All manifests of a deployment, as objects and as text."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ingenium._version import __version__
from ingenium.deploy.deploy_plan import DeployPlan
from ingenium.deploy.kube.nats_manifests import nats_manifests
from ingenium.deploy.kube.network_policies import network_policies
from ingenium.deploy.kube.pod_template import APP_LABEL
from ingenium.deploy.kube.postgresql_manifests import postgresql_manifests
from ingenium.deploy.kube.workload_manifests import manifests_of
from ingenium.deploy.yaml_text import yaml_text
from ingenium.errors import ConfigError

__all__ = [
    "header",
    "kustomize_files",
    "manifest_text",
    "manifests",
    "needed_secrets",
    "read_patches",
]

Object = dict[str, Any]


def manifests(plan: DeployPlan, schedule: str = "") -> list[Object]:
    """Return the objects of a deployment, in the order in which they are applied.

    They are functions of app and settings alone: no secret, no time, nothing random.

    Args:
        plan: The deployment.
        schedule: Times of a backtest, as in a CronJob.

    Raises:
        ConfigError: A setting cannot be used.
    """
    return list(_manifests(plan, schedule))


def _manifests(plan: DeployPlan, schedule: str) -> Iterator[Object]:
    shared = {APP_LABEL: plan.app, "app.kubernetes.io/managed-by": "ingenium"}
    if plan.settings.create_namespace:
        levels = {
            f"pod-security.kubernetes.io/{mode}": "restricted"
            for mode in ("enforce", "audit", "warn")
        }
        yield {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": plan.namespace, "labels": {**shared, **levels}},
        }
    yield {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": plan.app, "namespace": plan.namespace, "labels": shared},
        "automountServiceAccountToken": False,
    }
    yield from network_policies(plan)
    if plan.has_nats:
        yield from nats_manifests(plan)
    if plan.has_postgresql:
        yield from postgresql_manifests(plan)
    for work in plan.workloads:
        yield from manifests_of(plan, work, schedule)


def header(arguments: Sequence[str]) -> str:
    """Return the comment that says how a file was made."""
    return (
        f"# Made by ingenium {__version__}:\n"
        f"#   ingenium {shlex.join(arguments)}\n"
        "# Change the app or its settings, and make it again.\n"
    )


def manifest_text(objects: Sequence[Object], head: str) -> str:
    """Return objects as one YAML file."""
    return head + "".join(f"---\n{yaml_text(each)}" for each in objects)


def kustomize_files(
    objects: Sequence[Object], head: str, patches: Mapping[str, str]
) -> dict[str, str]:
    """Return the files of a Kustomize folder: one for each workload, and its list.

    Args:
        objects: The objects.
        head: Comment at the beginning of each file.
        patches: Patches by name of their file, applied last.
    """
    parts: dict[str, list[Object]] = {}
    for each in objects:
        labels = each["metadata"]["labels"]
        part = labels.get("app.kubernetes.io/component", "shared")
        if each["kind"] == "NetworkPolicy":
            part = "network-policies"
        parts.setdefault(f"{part}.yaml", []).append(each)
    files = {name: manifest_text(each, head) for name, each in parts.items()}
    listed: Object = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(files),
    }
    if patches:
        listed["patches"] = [{"path": f"patch-{name}"} for name in patches]
        files |= {f"patch-{name}": text for name, text in patches.items()}
    return files | {"kustomization.yaml": head + yaml_text(listed)}


def needed_secrets(objects: object) -> set[str]:
    """Return the names of the secrets that objects mount."""
    if isinstance(objects, Mapping):
        secret = objects.get("secret")
        own = {secret["name"]} if isinstance(secret, Mapping) and "name" in secret else set()
        return own.union(*map(needed_secrets, objects.values()))
    if isinstance(objects, Sequence) and not isinstance(objects, str):
        return set().union(*map(needed_secrets, objects))
    return set()


def read_patches(names: Sequence[str], folder: Path) -> dict[str, str]:
    """Read the patches that settings name.

    Args:
        names: Paths below the folder of the settings.
        folder: That folder.

    Raises:
        ConfigError: One cannot be read, or two have one name.
    """
    found: dict[str, str] = {}
    for name in names:
        path = folder / name
        if path.name in found:
            raise ConfigError(f"two patches are named {path.name}: rename one of them")
        try:
            found[path.name] = path.read_text("utf-8")
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read patch {path}: {error}") from error
    return found

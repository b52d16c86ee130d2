"""The rules that every manifest of a deployment keeps, as checks of the rendered objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Object = dict[str, Any]
Rule = Callable[[list[Object]], Iterator[str]]

COMPONENT = "app.kubernetes.io/component"
ROLE = "ingenium/role"
TEAM = {
    "ingestor",
    "strategy",
    "portfolio",
    "executor",
    "recorder",
    "dashboard",
    "worker",
    "conductor",
}
"""Roles that speak to the NATS server."""


def workloads(objects: list[Object]) -> Iterator[Object]:
    """Yield what makes pods."""
    kinds = {"StatefulSet", "Deployment", "Job", "CronJob"}
    yield from (each for each in objects if each["kind"] in kinds)


def template_of(work: Object) -> Object:
    spec = work["spec"]
    if work["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    template: Object = spec["template"]
    return template


def pods(objects: list[Object]) -> Iterator[tuple[Object, Object]]:
    """Yield each workload and the spec of its pods."""
    yield from ((work, template_of(work)["spec"]) for work in workloads(objects))


def labels_of(work: Object) -> dict[str, str]:
    found: dict[str, str] = template_of(work)["metadata"]["labels"]
    return found


def role_of(work: Object) -> str:
    return labels_of(work)[ROLE]


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [each for each in objects if each["kind"] == kind]


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Return whether a selector of labels matches."""
    wanted = selector.get("matchLabels", {})
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(
        rule["operator"] == "In" and labels.get(rule["key"]) in rule["values"]
        for rule in selector.get("matchExpressions", [])
    )


def namespace_is_restricted(objects: list[Object]) -> Iterator[str]:
    for each in of_kind(objects, "Namespace"):
        for mode in ("enforce", "audit", "warn"):
            if each["metadata"]["labels"].get(f"pod-security.kubernetes.io/{mode}") != "restricted":
                yield f"{mode} is not restricted"
    if not of_kind(objects, "Namespace"):
        yield "no namespace"


def users_are_not_root(objects: list[Object]) -> Iterator[str]:
    for work, pod in pods(objects):
        security = pod["securityContext"]
        own = 999 if role_of(work) == "postgresql" else 10001
        if security.get("runAsNonRoot") is not True or security.get("runAsUser") != own:
            yield f"{work['metadata']['name']} runs as {security.get('runAsUser')}"
        if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{work['metadata']['name']} has no seccomp profile"


def containers_gain_nothing(objects: list[Object]) -> Iterator[str]:
    for work, pod in pods(objects):
        for container in pod["containers"] + pod.get("initContainers", []):
            if container.get("securityContext") != {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }:
                yield f"{work['metadata']['name']}: {container.get('securityContext')}"


def empty_folders_are_bounded(objects: list[Object]) -> Iterator[str]:
    for work, pod in pods(objects):
        empty = {each["name"]: each["emptyDir"] for each in pod["volumes"] if "emptyDir" in each}
        if any("sizeLimit" not in each for each in empty.values()):
            yield f"{work['metadata']['name']} has a folder without a limit"
        paths = [
            m["mountPath"]
            for c in pod["containers"]
            for m in c["volumeMounts"]
            if m["name"] in empty
        ]
        if "/tmp" not in paths:
            yield f"{work['metadata']['name']} has no /tmp"


def tokens_are_not_mounted(objects: list[Object]) -> Iterator[str]:
    for each in of_kind(objects, "ServiceAccount"):
        if each.get("automountServiceAccountToken") is not False:
            yield "the service account"
    for work, pod in pods(objects):
        if pod.get("automountServiceAccountToken") is not False:
            yield work["metadata"]["name"]


def resources_are_bounded(objects: list[Object]) -> Iterator[str]:
    for work, pod in pods(objects):
        for container in pod["containers"]:
            for kind in ("requests", "limits"):
                if set(container.get("resources", {}).get(kind, {})) != {"cpu", "memory"}:
                    yield f"{work['metadata']['name']} has no {kind}"


def live_is_not_ready(objects: list[Object]) -> Iterator[str]:
    for work, pod in pods(objects):
        if work["kind"] in {"Job", "CronJob"}:
            continue
        [container] = pod["containers"]
        live, ready = container.get("livenessProbe"), container.get("readinessProbe")
        is_ours = (container.get("args") or [""])[0] in {
            "run",
            "record",
            "dashboard",
            "worker",
            "--config",
        }
        if (live is None or ready is None) and (is_ours or role_of(work) == "postgresql"):
            yield f"{work['metadata']['name']} lacks a probe"
        elif live is not None and _asked(live) == _asked(ready):
            yield f"{work['metadata']['name']} is alive exactly when it is ready"


def _asked(probe: Object | None) -> Any:
    return (
        (probe or {}).get("httpGet") or (probe or {}).get("exec") or (probe or {}).get("tcpSocket")
    )


def pods_have_time_to_end(objects: list[Object]) -> Iterator[str]:
    for work, pod in pods(objects):
        least = 60 if role_of(work) in {"nats", "postgresql"} else 30
        if pod.get("terminationGracePeriodSeconds", 0) < least:
            yield work["metadata"]["name"]


def money_is_moved_by_one(objects: list[Object]) -> Iterator[str]:
    for work in workloads(objects):
        if role_of(work) not in {"portfolio", "executor"} or work["kind"] == "Job":
            continue
        if work["spec"].get("replicas") != 1:
            yield f"{work['metadata']['name']} has {work['spec'].get('replicas')} pods"
        if work["kind"] != "StatefulSet":
            yield f"{work['metadata']['name']} keeps no state"
    for work in of_kind(objects, "Deployment"):
        if work["spec"].get("strategy") != {"type": "Recreate"}:
            yield f"{work['metadata']['name']} runs twice while it is replaced"


def drains_are_bounded(objects: list[Object]) -> Iterator[str]:
    budgets = [each["spec"] for each in of_kind(objects, "PodDisruptionBudget")]
    for work in workloads(objects):
        if work["kind"] in {"Job", "CronJob"}:
            continue
        found = [b for b in budgets if selects(b["selector"], labels_of(work))]
        if len(found) != 1 or found[0]["maxUnavailable"] > 1:
            yield work["metadata"]["name"]


def nothing_is_allowed_by_default(objects: list[Object]) -> Iterator[str]:
    for work in workloads(objects):
        closed = [
            each
            for each in of_kind(objects, "NetworkPolicy")
            if selects(each["spec"]["podSelector"], labels_of(work))
            and sorted(each["spec"]["policyTypes"]) == ["Egress", "Ingress"]
            and not each["spec"].get("ingress")
            and not each["spec"].get("egress")
        ]
        if not closed:
            yield work["metadata"]["name"]


def _ways(objects: list[Object], work: Object, way: str) -> Iterator[tuple[int, Any]]:
    """Yield port and peers that policies allow a workload."""
    for policy in of_kind(objects, "NetworkPolicy"):
        if not selects(policy["spec"]["podSelector"], labels_of(work)):
            continue
        for rule in policy["spec"].get(way.lower(), []):
            peers = rule.get("to" if way == "Egress" else "from")
            for port in rule.get("ports", [{"port": 0}]):
                yield port["port"], peers


def _component(peer: Object) -> str:
    found: str = peer.get("podSelector", {}).get("matchLabels", {}).get(COMPONENT, "")
    return found


def each_reaches_what_it_needs(objects: list[Object]) -> Iterator[str]:
    for work in workloads(objects):
        name, role = work["metadata"]["name"], role_of(work)
        for port, peers in _ways(objects, work, "Egress"):
            if not peers:
                yield f"{name} reaches everything on {port}"
                continue
            for peer in peers:
                if port == 53:
                    is_fine = peer.get("podSelector") == {"matchLabels": {"k8s-app": "kube-dns"}}
                elif port == 4222:
                    is_fine = role in TEAM and _component(peer) == "nats"
                elif port == 6222:
                    is_fine = role == "nats" and _component(peer) == "nats"
                elif port == 5432:
                    is_fine = role in {"recorder", "dashboard"} and _component(peer) == "postgresql"
                elif port == 443:
                    inner = peer.get("ipBlock", {}).get("except", [])
                    is_fine = role in {"executor", "ingestor"} and (
                        {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"}
                        <= set(inner)
                        or "fc00::/7" in inner
                    )
                else:
                    is_fine = False
                if not is_fine:
                    yield f"{name} reaches {peer} on {port}"


def each_has_its_server(objects: list[Object]) -> Iterator[str]:
    servers = [work for work in workloads(objects) if role_of(work) == "nats"]
    for work in workloads(objects):
        if role_of(work) in TEAM and servers:
            if 4222 not in dict(_ways(objects, work, "Egress")):
                yield f"{work['metadata']['name']} has no way to the server"
            taken = [
                peer
                for port, peers in _ways(objects, servers[0], "Ingress")
                if port == 4222
                for peer in peers or []
                if selects(peer["podSelector"], labels_of(work))
            ]
            if not taken:
                yield f"the server does not take {work['metadata']['name']}"


def nobody_comes_from_outside(objects: list[Object]) -> Iterator[str]:
    allowed = {"nats": {4222, 6222, 8222}, "postgresql": {5432}}
    for work in workloads(objects):
        for port, peers in _ways(objects, work, "Ingress"):
            if port not in allowed.get(role_of(work), set()) or not peers:
                yield f"{work['metadata']['name']} is reached on {port}"
            if port != 8222 and any("podSelector" not in peer for peer in peers or []):
                yield f"{work['metadata']['name']} is reached by {peers}"
    for each in of_kind(objects, "Service"):
        if each["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield f"service {each['metadata']['name']} is open to the world"


def secrets_are_files(objects: list[Object]) -> Iterator[str]:
    if of_kind(objects, "Secret"):
        yield "the manifests hold a Secret"
    for work, pod in pods(objects):
        for container in pod["containers"]:
            if any("secretKeyRef" in e.get("valueFrom", {}) for e in container.get("env", [])):
                yield f"{work['metadata']['name']} has a secret in a variable"
            if any("secretRef" in each for each in container.get("envFrom", [])):
                yield f"{work['metadata']['name']} has a secret in variables"
            for text in [
                *container.get("args", []),
                *(e.get("value", "") for e in container.get("env", [])),
            ]:
                if re.search(r"://[^/@\s]*:[^/@\s]+@", text):
                    yield f"{work['metadata']['name']} has a password in {text!r}"


def mounted_secrets(pod: Object) -> Iterator[str]:
    """Yield the names of the secrets in a pod's volumes."""
    for volume in pod["volumes"]:
        if "secret" in volume:
            yield volume["secret"]["secretName"]
        for source in volume.get("projected", {}).get("sources", []):
            yield source["secret"]["name"]


def secrets_have_one_user(objects: list[Object]) -> Iterator[str]:
    users: dict[str, list[str]] = {}
    for work, pod in pods(objects):
        for secret in mounted_secrets(pod):
            users.setdefault(secret, []).append(role_of(work))
    for secret, roles in users.items():
        known = {"nats-ca": 99, "nats-replay": 99, "postgresql-ingenium": 2, "postgresql-reader": 2}
        most = next((count for end, count in known.items() if secret.endswith(end)), 1)
        if len(roles) > most:
            yield f"{secret} is in {roles}"


def images_are_pinned(objects: list[Object]) -> Iterator[str]:
    for _, pod in pods(objects):
        for container in pod["containers"]:
            if re.search(r"@sha256:[0-9a-f]{64}$", container["image"]) is None:
                yield container["image"]


def server_keeps_what_it_has_acknowledged(objects: list[Object]) -> Iterator[str]:
    for work, pod in pods(objects):
        if role_of(work) != "nats":
            continue
        if work["spec"]["replicas"] < 3:
            yield "fewer than three servers"
        spread = {
            e["topologyKey"]: e["whenUnsatisfiable"] for e in pod["topologySpreadConstraints"]
        }
        if spread.get("kubernetes.io/hostname") != "DoNotSchedule" or len(spread) != 2:
            yield "two servers on one node"
        if not work["spec"].get("volumeClaimTemplates"):
            yield "no volume"
        [text] = [
            e["data"]["nats.conf"]
            for e in of_kind(objects, "ConfigMap")
            if "nats.conf" in e["data"]
        ]
        for line in (
            "sync_interval: always",
            "verify: true",
            "no_advertise: true",
            'cert_file: "/run/secrets/nats-tls/tls.crt"',
        ):
            if line not in text:
                yield f"the configuration lacks {line}"
        if re.search(r"password|nkey|no_auth_user|websocket|mqtt|leafnodes|gateway", text):
            yield "the configuration holds what it should not"
    for work, pod in pods(objects):
        [container] = pod["containers"]
        values = {each["name"]: each.get("value", "") for each in container.get("env", [])}
        if "NATS_SERVER" in values and not values["NATS_SERVER"].startswith("tls://"):
            yield f"{work['metadata']['name']} speaks in the clear"
        if "NATS_SERVER" in values and values.get("INGENIUM_STREAM_REPLICAS") != "3":
            yield f"{work['metadata']['name']} makes streams of one copy"


def nothing_is_of_the_node(objects: list[Object]) -> Iterator[str]:
    for work, pod in pods(objects):
        if any(pod.get(each) for each in ("hostNetwork", "hostPID", "hostIPC")) or any(
            "hostPath" in volume for volume in pod["volumes"]
        ):
            yield work["metadata"]["name"]


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        namespace_is_restricted,
        users_are_not_root,
        containers_gain_nothing,
        empty_folders_are_bounded,
        tokens_are_not_mounted,
        resources_are_bounded,
        live_is_not_ready,
        pods_have_time_to_end,
        money_is_moved_by_one,
        drains_are_bounded,
        nothing_is_allowed_by_default,
        each_reaches_what_it_needs,
        each_has_its_server,
        nobody_comes_from_outside,
        secrets_are_files,
        secrets_have_one_user,
        images_are_pinned,
        server_keeps_what_it_has_acknowledged,
        nothing_is_of_the_node,
    )
}


def broken_rules(objects: list[Object]) -> dict[str, list[str]]:
    """Return what breaks a rule, by the name of the rule."""
    found = {name: list(rule(objects)) for name, rule in RULES.items()}
    return {name: texts for name, texts in found.items() if texts}

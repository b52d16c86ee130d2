"""Network policies: nothing may speak to anything, but for what is listed here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from ingenium.deploy.deploy_plan import NATS, POSTGRESQL, WORKER, DeployPlan
from ingenium.deploy.kube.pod_template import APP_LABEL, selector_of

__all__ = ["PRIVATE", "network_policies"]

Object = dict[str, Any]

PRIVATE = {
    "0.0.0.0/0": [
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
    ],
    "::/0": ["::1/128", "fc00::/7", "fe80::/10"],
}
"""By range of all addresses: those within it that are not of the Internet, such as a cluster's own
and the metadata service of a cloud."""


def network_policies(plan: DeployPlan) -> Iterator[Object]:
    """Yield the policies of a deployment."""
    # In a namespace of others, only the app's own pods are closed.
    everything = {} if plan.settings.create_namespace else {"matchLabels": {APP_LABEL: plan.app}}
    yield _policy(plan, "deny-all", everything, ingress=[], egress=[])
    clients = [work.name for work in plan.workloads if work.logins]
    if not clients:
        return
    dns = {
        "to": [
            {
                "namespaceSelector": _named("kube-system"),
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
            }
        ],
        "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
    }
    yield _policy(plan, "dns", {"matchLabels": {APP_LABEL: plan.app}}, egress=[dns])
    yield from _nats(plan, clients)
    if databases := [work.name for work in plan.workloads if work.database_user]:
        yield from _postgresql(plan, databases)
    if outside := [work.name for work in plan.workloads if work.has_internet]:
        blocks = [{"ipBlock": {"cidr": cidr, "except": inner}} for cidr, inner in PRIVATE.items()]
        rule = {"to": blocks, "ports": _tcp(443)}
        yield _policy(plan, "internet", _any_of(plan, outside), egress=[rule])


def _nats(plan: DeployPlan, clients: Sequence[str]) -> Iterator[Object]:
    settings = plan.settings.nats
    if not plan.has_nats:
        port = urlsplit(settings.url.partition(",")[0]).port or 4222
        to = {"to": [{"ipBlock": {"cidr": settings.cidr}}]} if settings.cidr else {}
        rule = {**to, "ports": _tcp(port)}
        yield _policy(plan, "nats-clients", _any_of(plan, clients), egress=[rule])
        return
    servers = {"podSelector": {"matchLabels": selector_of(plan, NATS)}}
    to_servers = {"to": [servers], "ports": _tcp(4222)}
    yield _policy(plan, "nats-clients", _any_of(plan, clients), egress=[to_servers])
    ingress = [{"from": [{"podSelector": _any_of(plan, clients)}], "ports": _tcp(4222)}]
    egress = []
    if settings.replicas > 1:
        ingress.append({"from": [servers], "ports": _tcp(6222)})
        egress.append({"to": [servers], "ports": _tcp(6222)})
    if any(work.role == WORKER for work in plan.workloads):
        keda = {"namespaceSelector": _named(plan.settings.workers.keda_namespace)}
        ingress.append({"from": [keda], "ports": _tcp(8222)})
    yield _policy(
        plan, NATS, {"matchLabels": selector_of(plan, NATS)}, ingress=ingress, egress=egress
    )


def _postgresql(plan: DeployPlan, users: Sequence[str]) -> Iterator[Object]:
    settings = plan.settings.postgresql
    if not plan.has_postgresql:
        port = urlsplit(settings.url).port or 5432
        to = {"to": [{"ipBlock": {"cidr": settings.cidr}}]} if settings.cidr else {}
        rule = {**to, "ports": _tcp(port)}
        yield _policy(plan, "postgresql-clients", _any_of(plan, users), egress=[rule])
        return
    server = {"matchLabels": selector_of(plan, POSTGRESQL)}
    to_server = {"to": [{"podSelector": server}], "ports": _tcp(5432)}
    yield _policy(plan, "postgresql-clients", _any_of(plan, users), egress=[to_server])
    from_users = {"from": [{"podSelector": _any_of(plan, users)}], "ports": _tcp(5432)}
    yield _policy(plan, POSTGRESQL, server, ingress=[from_users], egress=[])


def _policy(
    plan: DeployPlan,
    name: str,
    pods: Object,
    *,
    ingress: Sequence[Object] | None = None,
    egress: Sequence[Object] | None = None,
) -> Object:
    ways = {"ingress": ingress, "egress": egress}
    given = {way: list(rules) for way, rules in ways.items() if rules is not None}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": f"{plan.app}-{name}",
            "namespace": plan.namespace,
            "labels": {APP_LABEL: plan.app, "app.kubernetes.io/managed-by": "ingenium"},
        },
        "spec": {
            "podSelector": pods,
            "policyTypes": [way.capitalize() for way in given],
            **{way: rules for way, rules in given.items() if rules},
        },
    }


def _any_of(plan: DeployPlan, names: Sequence[str]) -> Object:
    return {
        "matchLabels": {APP_LABEL: plan.app},
        "matchExpressions": [
            {"key": "app.kubernetes.io/component", "operator": "In", "values": sorted(names)}
        ],
    }


def _named(namespace: str) -> Object:
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}


def _tcp(port: int) -> list[Object]:
    return [{"protocol": "TCP", "port": port}]

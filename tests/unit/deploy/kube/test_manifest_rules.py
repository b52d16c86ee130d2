"""Every rule of the manifests holds, and a planted fault of each kind is found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.manifest_rules import RULES, broken_rules, of_kind

from ingenium.components import load_app
from ingenium.deploy.deploy_plan import plan_app, plan_backtest
from ingenium.deploy.deploy_settings import DeploySettings, WorkerSettings, read_settings
from ingenium.deploy.kube.manifests import manifests

ROOT = Path(__file__).parents[4]
DESK = "tests/data/deploy/app.py"
PIN = "@sha256:" + "7" * 64

Object = dict[str, Any]


def desk() -> list[Object]:
    app = load_app(str(ROOT / DESK))
    return manifests(plan_app(app, DESK, read_settings(ROOT / "tests/data/deploy/deploy.toml")))


def pinned() -> DeploySettings:
    settings = DeploySettings(image=f"demo{PIN}", workers=WorkerSettings(most=8))
    settings.nats.image = f"nats{PIN}"
    return settings


def replay() -> list[Object]:
    target = "examples/demo/app.py"
    return manifests(plan_app(load_app(str(ROOT / target)), target, pinned()))


@pytest.mark.parametrize("make", [desk, replay])
def test_every_rule_holds(make: Callable[[], list[Object]]) -> None:
    assert broken_rules(make()) == {}


def test_rules_of_pods_hold_for_a_repeated_backtest() -> None:
    target = "examples/demo/app.py"
    plan = plan_backtest(load_app(str(ROOT / target)), target, pinned())
    objects = manifests(plan, "0 6 * * 1-5")
    assert [each["kind"] for each in objects] == [
        "Namespace",
        "ServiceAccount",
        "NetworkPolicy",
        "CronJob",
    ]
    assert broken_rules(objects) == {}


def get(objects: list[Object], kind: str, name: str) -> Object:
    [found] = [e for e in of_kind(objects, kind) if e["metadata"]["name"] == name]
    return found


def pod(objects: list[Object], kind: str, name: str) -> Any:
    return get(objects, kind, name)["spec"]["template"]["spec"]


def executor(objects: list[Object]) -> Any:
    return pod(objects, "StatefulSet", "desk-1-venue")


def strategy(objects: list[Object]) -> Any:
    return pod(objects, "StatefulSet", "desk-1-sma-cross")


def policy(objects: list[Object], name: str) -> Any:
    return get(objects, "NetworkPolicy", f"desk-1-{name}")["spec"]


def nats_text(objects: list[Object], old: str, new: str) -> None:
    data = get(objects, "ConfigMap", "desk-1-nats")["data"]
    assert old in data["nats.conf"]
    data["nats.conf"] = data["nats.conf"].replace(old, new)


def drop(objects: list[Object], kind: str, name: str) -> None:
    objects.remove(get(objects, kind, name))


def add_to_internet(objects: list[Object], name: str) -> None:
    policy(objects, "internet")["podSelector"]["matchExpressions"][0]["values"].append(name)


def container(spec: Any) -> Any:
    return spec["containers"][0]


PLANTED: list[tuple[str, Callable[[list[Object]], Any]]] = [
    (
        "namespace_is_restricted",
        lambda o: get(o, "Namespace", "trading")["metadata"]["labels"].update(
            {"pod-security.kubernetes.io/enforce": "baseline"}
        ),
    ),
    ("users_are_not_root", lambda o: executor(o)["securityContext"].update(runAsUser=0)),
    ("users_are_not_root", lambda o: executor(o)["securityContext"].pop("seccompProfile")),
    (
        "containers_gain_nothing",
        lambda o: container(executor(o))["securityContext"].update(readOnlyRootFilesystem=False),
    ),
    (
        "containers_gain_nothing",
        lambda o: container(executor(o))["securityContext"].update(
            capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}
        ),
    ),
    ("empty_folders_are_bounded", lambda o: executor(o)["volumes"][0]["emptyDir"].clear()),
    ("tokens_are_not_mounted", lambda o: executor(o).pop("automountServiceAccountToken")),
    (
        "resources_are_bounded",
        lambda o: container(executor(o))["resources"]["limits"].pop("memory"),
    ),
    (
        "live_is_not_ready",
        lambda o: container(strategy(o)).update(
            readinessProbe=container(strategy(o))["livenessProbe"]
        ),
    ),
    ("live_is_not_ready", lambda o: container(strategy(o)).pop("livenessProbe")),
    ("pods_have_time_to_end", lambda o: executor(o).update(terminationGracePeriodSeconds=5)),
    (
        "money_is_moved_by_one",
        lambda o: get(o, "StatefulSet", "desk-1-venue")["spec"].update(replicas=2),
    ),
    (
        "money_is_moved_by_one",
        lambda o: get(o, "Deployment", "desk-1-ticks")["spec"].pop("strategy"),
    ),
    ("drains_are_bounded", lambda o: drop(o, "PodDisruptionBudget", "desk-1-venue")),
    ("nothing_is_allowed_by_default", lambda o: drop(o, "NetworkPolicy", "desk-1-deny-all")),
    ("each_reaches_what_it_needs", lambda o: add_to_internet(o, "sma-cross")),
    ("each_reaches_what_it_needs", lambda o: policy(o, "nats-clients")["egress"][0].pop("to")),
    (
        "each_reaches_what_it_needs",
        lambda o: policy(o, "postgresql-clients")["podSelector"]["matchExpressions"][0][
            "values"
        ].append("venue"),
    ),
    (
        "each_reaches_what_it_needs",
        lambda o: policy(o, "internet")["egress"][0]["to"][0]["ipBlock"]["except"].remove(
            "169.254.0.0/16"
        ),
    ),
    (
        "each_has_its_server",
        lambda o: policy(o, "nats-clients")["podSelector"]["matchExpressions"][0]["values"].remove(
            "recorder"
        ),
    ),
    ("nobody_comes_from_outside", lambda o: policy(o, "nats")["ingress"][0].pop("from")),
    (
        "nobody_comes_from_outside",
        lambda o: get(o, "Service", "desk-1-nats")["spec"].update(type="LoadBalancer"),
    ),
    (
        "secrets_are_files",
        lambda o: container(executor(o))["env"].append(
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "broker", "key": "key"}}}
        ),
    ),
    (
        "secrets_are_files",
        lambda o: container(executor(o))["env"].append(
            {"name": "NATS", "value": "tls://user:word@host:4222"}
        ),
    ),
    (
        "secrets_have_one_user",
        lambda o: strategy(o)["volumes"].append(
            {"name": "keys", "secret": {"secretName": "broker"}}
        ),
    ),
    (
        "secrets_have_one_user",
        lambda o: strategy(o)["volumes"].append(
            {"name": "x", "secret": {"secretName": "desk-1-nats-executor-venue"}}
        ),
    ),
    ("images_are_pinned", lambda o: container(executor(o)).update(image="venue:latest")),
    (
        "server_keeps_what_it_has_acknowledged",
        lambda o: nats_text(o, "sync_interval: always", "sync_interval: 2m"),
    ),
    (
        "server_keeps_what_it_has_acknowledged",
        lambda o: nats_text(o, "verify: true", "verify: false"),
    ),
    (
        "server_keeps_what_it_has_acknowledged",
        lambda o: get(o, "StatefulSet", "desk-1-nats")["spec"].update(replicas=1),
    ),
    ("nothing_is_of_the_node", lambda o: strategy(o).update(hostNetwork=True)),
]


@pytest.mark.parametrize(("rule", "plant"), PLANTED)
def test_planted_fault_is_found(rule: str, plant: Callable[[list[Object]], Any]) -> None:
    objects = copy.deepcopy(desk())
    plant(objects)
    assert rule in broken_rules(objects)


def test_every_rule_has_a_planted_fault() -> None:
    assert {rule for rule, _ in PLANTED} == set(RULES)

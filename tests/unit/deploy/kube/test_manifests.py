"""Rendered manifests: as reviewed, valid for an API server, and functions of app and settings."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.go_programs import build_go
from support.rendered import DESK, DESK_SETTINGS, FOLDER, LIVE, RENDERED, ROOT, plan
from support.tools import need_program

from ingenium import App, External
from ingenium.components import load_app
from ingenium.deploy.deploy_plan import plan_app, plan_backtest
from ingenium.deploy.deploy_settings import DeploySettings, WorkloadSettings, read_settings
from ingenium.deploy.kube.manifests import manifest_text, manifests
from ingenium.errors import ConfigError

Object = dict[str, Any]
MANIFESTS = ("desk", "live", "replay", "backtest")


@pytest.mark.parametrize("name", RENDERED)
def test_rendered_text_is_as_reviewed(name: str) -> None:
    # After a change that is meant: cd tests && ../.venv/bin/python -m support.rendered
    assert RENDERED[name]() == (FOLDER / f"{name}.yaml").read_text("utf-8")


def test_no_text_holds_what_changes_from_day_to_day() -> None:
    assert all(make() == make() for make in RENDERED.values())


@pytest.fixture(scope="module")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program with the API server's own checks: two minutes once, then seconds."""
    program = tmp_path_factory.mktemp("kube") / "kube"
    error = build_go("tests/kube", program, seconds=900)
    assert not error, error
    return program


def checked(program: Path, file: Path) -> list[Object]:
    done = subprocess.run([program, file], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode in (0, 1), done.stderr
    found: list[Object] = json.loads(done.stdout)
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", MANIFESTS)
def test_api_server_would_take_them(api_server: Path, name: str) -> None:
    assert checked(api_server, FOLDER / f"{name}.yaml") == []


FAULTS: list[tuple[str, str, Any, str]] = [
    ("Deployment", "spec.selector.matchLabels", {"a": "b"}, "selector"),
    ("Service", "spec.ports", [{"name": "client", "port": 70000}], "65535"),
    ("NetworkPolicy", "spec.policyTypes", ["Engress"], "Engress"),
    ("StatefulSet", "spec.replicaCount", 3, "unknown field"),
    ("PodDisruptionBudget", "spec.minAvailable", 1, "cannot be both set"),
    ("StatefulSet", "spec.template.spec.hostNetwork", True, "pod security: host namespaces"),
    (
        "Deployment",
        "spec.template.spec.securityContext.runAsNonRoot",
        False,
        "pod security: runAsNonRoot",
    ),
]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("kind", "path", "value", "problem"), FAULTS)
def test_api_server_would_refuse_a_planted_fault(
    api_server: Path, tmp_path: Path, kind: str, path: str, value: Any, problem: str
) -> None:
    objects = manifests(plan(LIVE, DeploySettings()))
    planted = next(each for each in objects if each["kind"] == kind)
    *parents, last = path.split(".")
    for each in parents:
        planted = planted[each]
    planted[last] = value
    file = tmp_path / "manifests.yaml"
    file.write_text(manifest_text(objects, ""))
    assert any(problem in each["problem"] for each in checked(api_server, file))


@pytest.mark.timeout(900)
def test_api_server_would_refuse_a_fault_in_a_job_of_keda(api_server: Path, tmp_path: Path) -> None:
    job = {"template": {"spec": {"containers": [{"name": "a", "image": "b", "privileged": True}]}}}
    scaled = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledJob",
        "metadata": {"name": "a"},
        "spec": {"jobTargetRef": job},
    }
    file = tmp_path / "manifests.yaml"
    file.write_text(manifest_text([scaled], ""))
    assert "unknown field" in checked(api_server, file)[0]["problem"]


def test_folder_of_kustomize_has_a_file_for_each_workload_and_applies_patches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from support.running import ingenium

    kubectl = need_program("kubectl")
    done = ingenium("deploy", "kube", DESK, "--output", str(tmp_path), cwd=ROOT)
    assert (done.code, done.out) == (
        0,
        f"14 files are in {tmp_path}: kubectl apply -k applies them\n",
    )
    assert {"ticks.yaml", "venue.yaml", "nats.yaml", "shared.yaml", "patch-ticks.yaml"} <= {
        path.name for path in tmp_path.iterdir()
    }
    built = subprocess.run(
        [kubectl, "kustomize", tmp_path], capture_output=True, text=True, check=True, timeout=60
    )
    objects = list(yaml.safe_load_all(built.stdout))
    assert len(objects) == len(list(yaml.safe_load_all((FOLDER / "desk.yaml").read_text())))
    [ticks] = [
        e for e in objects if (e["kind"], e["metadata"]["name"]) == ("Deployment", "desk-1-ticks")
    ]
    assert ticks["spec"]["template"]["spec"]["priorityClassName"] == "market-data"


def of(settings: DeploySettings, kind: str, name: str, target: str = LIVE) -> Object:
    found = manifests(plan(target, settings))
    [one] = [e for e in found if (e["kind"], e["metadata"]["name"]) == (kind, name)]
    return one


def test_server_that_is_there_is_used_and_none_rendered() -> None:
    settings = DeploySettings(recorder=DeploySettings().recorder)
    settings.nats.url, settings.nats.ca_secret = "tls://nats.example:4223", "their-ca"
    settings.nats.cidr = "192.0.2.0/24"
    settings.postgresql.url = "postgresql://ingenium@db.example/desk"
    found = manifests(plan(LIVE, settings))
    names = {(each["kind"], each["metadata"]["name"]) for each in found}
    assert not {("StatefulSet", "live-nats"), ("StatefulSet", "live-postgresql")} & names
    [policy] = [e for e in found if e["metadata"]["name"] == "live-nats-clients"]
    assert policy["spec"]["egress"] == [
        {
            "to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
            "ports": [{"protocol": "TCP", "port": 4223}],
        }
    ]
    recorder = of(settings, "Deployment", "live-recorder")["spec"]["template"]["spec"]
    [container] = recorder["containers"]
    assert container["args"][-1] == (
        "postgresql://ingenium@db.example/desk?password_file=/run/secrets/postgresql/ingenium"
    )
    variables = {each["name"]: each["value"] for each in container["env"]}
    assert variables["NATS_SERVER"] == "tls://nats.example:4223"
    assert variables["INGENIUM_NATS_CA"] == "/run/secrets/nats-ca/ca.crt"


def test_components_in_python_keep_state_and_ingestors_keep_none() -> None:
    found = manifests(plan(LIVE, DeploySettings()))
    kinds = {
        each["metadata"]["name"]: each["kind"]
        for each in found
        if each["kind"] in {"StatefulSet", "Deployment", "Job"}
    }
    assert kinds == {
        "live-nats": "StatefulSet",
        "live-postgresql": "StatefulSet",
        "live-feed": "Deployment",
        "live-sma-cross": "StatefulSet",
        "live-fixed-quantity": "StatefulSet",
        "live-paper": "StatefulSet",
        "live-recorder": "Deployment",
        "live-dashboard": "StatefulSet",
    }


def test_app_on_history_is_made_of_jobs_beside_its_server() -> None:
    settings = DeploySettings()
    found = manifests(plan("examples/demo/app.py", settings))
    jobs = [each["metadata"]["name"] for each in found if each["kind"] == "Job"]
    assert jobs == [
        "demo-csv-ingestor",
        "demo-rsi",
        "demo-fixed-quantity",
        "demo-paper",
        "demo-conductor",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("imagee = 'a'", "unknown field `imagee`"),
        (
            "[workloads.nobody]\nimage = 'a'",
            r"\[workloads.nobody\] is no component of app",
        ),
        (
            "[workloads.ticks]\nreplicas = 2",
            "a second pod of ingestor 'ticks' would send",
        ),
        ("[workloads.sma-cross]\ninternet = true", "only ingestors and executors may reach"),
        ("[workloads.ticks]\nenv_from = ['ticks']", "use 'configmap:NAME' or 'secret:NAME'"),
        ("[workloads.ticks]\nsecret_files = { a = 'keys' }", "use an absolute folder"),
        ("[nats]\nreplicas = 2", "use 1, 3 or 5"),
        ("[dashboard]\nrole = 'root'", "use read, operate or trade"),
        ("[workers]\nmost = 3", "are for backtests"),
        ("image = 3", "Expected `str`, got `int`"),
        ("image = ", "cannot be used"),
    ],
)
def test_wrong_setting_is_refused_with_its_name(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "deploy.toml"
    images = "".join(f"\n[workloads.{name}]\nimage = 'x'" for name in ("news", "turns", "venue"))
    file.write_text(text + images)
    with pytest.raises(ConfigError, match=problem):
        manifests(plan(DESK, read_settings(file)))


def test_program_without_an_image_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"add \[workloads.news\] with image"):
        plan(DESK, DeploySettings())


def test_key_of_a_broker_is_for_the_executor_alone() -> None:
    settings = read_settings(DESK_SETTINGS)
    settings.workloads["sma-cross"] = WorkloadSettings(secret_files={"broker": "/keys"})
    with pytest.raises(ConfigError, match="'broker' of the executor is also in sma-cross"):
        plan(DESK, settings)


def test_app_outside_of_the_project_is_refused(tmp_path: Path) -> None:
    app = load_app(str(ROOT / LIVE))
    with pytest.raises(ConfigError, match="is outside of"):
        plan_app(app, str(tmp_path / "app.py"), DeploySettings())


def test_live_app_has_no_backtest() -> None:
    with pytest.raises(ConfigError, match="runs on live data, so it has no backtest"):
        plan_backtest(load_app(str(ROOT / LIVE)), LIVE, DeploySettings())


def test_name_that_a_deployment_uses_itself_is_refused() -> None:
    app = App(ingestors=[External("ingestor", name="recorder")], name="desk")
    settings = DeploySettings(workloads={"recorder": WorkloadSettings(image="x")})
    with pytest.raises(ConfigError, match="recorder"):
        plan_app(app, "app.py", settings)

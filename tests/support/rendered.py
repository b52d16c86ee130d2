"""The manifests that reviews see: each is rendered anew and compared with the file of its name.

`cd tests && ../.venv/bin/python -m support.rendered` writes them again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingenium.components import load_app
from ingenium.deploy.compose_file import compose_file
from ingenium.deploy.deploy_plan import DeployPlan, plan_app, plan_backtest
from ingenium.deploy.deploy_settings import DeploySettings, WorkerSettings, read_settings
from ingenium.deploy.kube.manifests import (
    header,
    kustomize_files,
    manifest_text,
    manifests,
    read_patches,
)
from ingenium.deploy.yaml_text import yaml_text

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests/data/deploy/rendered"
DESK, DEMO, LIVE = "tests/data/deploy/app.py", "examples/demo/app.py", "examples/live/app.py"
DESK_SETTINGS = ROOT / "tests/data/deploy/deploy.toml"

Object = dict[str, Any]


def plan(target: str, settings: DeploySettings) -> DeployPlan:
    """Plan an app of this repository."""
    return plan_app(load_app(str(ROOT / target)), target, settings)


def _manifests(made: DeployPlan, schedule: str = "") -> str:
    return manifest_text(manifests(made, schedule), header(["deploy", "kube", made.target]))


def desk() -> str:
    """Return the app with everything, by a settings file."""
    return _manifests(plan(DESK, read_settings(DESK_SETTINGS)))


def live() -> str:
    """Return an app without settings."""
    return _manifests(plan(LIVE, DeploySettings()))


def replay() -> str:
    """Return an app on history, with workers of sweeps."""
    return _manifests(plan(DEMO, DeploySettings(workers=WorkerSettings(most=8))))


def backtest() -> str:
    """Return a backtest that is repeated."""
    app = load_app(str(ROOT / DEMO))
    return _manifests(plan_backtest(app, DEMO, DeploySettings()), "0 6 * * 1-5")


def compose() -> str:
    """Return a compose file."""
    made = plan(LIVE, DeploySettings())
    return header(["deploy", "compose", LIVE]) + yaml_text(compose_file(made, "./secrets")[0])


def compose_desk() -> str:
    """Return the compose file of the app with everything."""
    made = plan(DESK, read_settings(DESK_SETTINGS))
    return header(["deploy", "compose", DESK]) + yaml_text(compose_file(made, "./secrets")[0])


def kustomization() -> str:
    """Return the list of a Kustomize folder."""
    settings = read_settings(DESK_SETTINGS)
    made = plan(DESK, settings)
    patches = read_patches(settings.patches, DESK_SETTINGS.parent)
    head = header(["deploy", "kube", DESK])
    return kustomize_files(manifests(made), head, patches)["kustomization.yaml"]


RENDERED: dict[str, Callable[[], str]] = {
    make.__name__: make
    for make in (desk, live, replay, backtest, compose, compose_desk, kustomization)
}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, make in RENDERED.items():
        (FOLDER / f"{name}.yaml").write_text(make(), "utf-8")

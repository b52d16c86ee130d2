"""``ingenium deploy``: the same app on a cluster, or under compose."""

from __future__ import annotations

import json as jsonlib
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ingenium.cli.backtest_output import make_console, printable
from ingenium.cli.targets import AppTarget
from ingenium.components import App, load_app
from ingenium.config import Settings
from ingenium.errors import ConfigError, DeployError

if TYPE_CHECKING:
    from ingenium.deploy.deploy_plan import DeployPlan
    from ingenium.deploy.deploy_settings import DeploySettings
    from ingenium.deploy.kube.kubectl import Kubectl

__all__ = ["DEPLOY_COMMANDS"]

SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        help="Settings of the deployment; deploy.toml beside the app's file when left out.",
    ),
]
NamespaceOption = Annotated[
    str, typer.Option("--namespace", help="Namespace, instead of that of the settings.")
]
ContextOption = Annotated[
    str, typer.Option("--context", help="Context of kubectl; the current one when left out.")
]


def kube(
    app: AppTarget,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", help="Write a Kustomize folder, with a file for each workload, to commit."
        ),
    ] = None,
    settings: SettingsOption = None,
    namespace: NamespaceOption = "",
    backtest: Annotated[
        bool, typer.Option("--backtest", help="One job that backtests the app, without a server.")
    ] = False,
    schedule: Annotated[
        str,
        typer.Option("--schedule", metavar="CRON", help="Repeat --backtest: '0 6 * * 1-5'."),
    ] = "",
    pinned: Annotated[
        bool, typer.Option("--pinned", help="Refuse images that are not named by their digest.")
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Apply on the server's side, with kubectl, and wait.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Show what --apply would change, and change nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="With --apply: take over fields of other managers.")
    ] = False,
    wait_seconds: Annotated[
        int, typer.Option("--wait", min=0, help="Seconds that --apply waits; 0 for not at all.")
    ] = 300,
    context: ContextOption = "",
) -> None:
    """Print the Kubernetes manifests of an app, or apply them.

    The manifests are functions of app and settings: nothing in them is random, dated or secret.
    """
    from ingenium.deploy.kube.kubectl import patched
    from ingenium.deploy.kube.manifests import (
        header,
        kustomize_files,
        manifest_text,
        manifests,
        read_patches,
    )

    if schedule and not backtest:
        raise ConfigError("--schedule goes with --backtest")
    if (apply or diff) and output is not None:
        raise ConfigError("--output writes manifests, and --apply or --diff sends them: use one")
    if force and not apply:
        raise ConfigError("--force goes with --apply")
    _, plan, folder = _planned(app, settings, namespace, backtest=backtest)
    if unpinned := plan.unpinned():
        text = (
            f"not pinned by digest: {', '.join(unpinned)}: name them as name@sha256:... in the "
            "settings, so that nobody can exchange them"
        )
        if pinned:
            raise ConfigError(text)
        _say(f"note: {text}")
    objects = manifests(plan, schedule)
    arguments = ["deploy", "kube", plan.target]
    arguments += ["--settings", settings.as_posix()] if settings is not None else []
    arguments += ["--namespace", namespace] if namespace else []
    arguments += ["--backtest"] if backtest else []
    arguments += ["--schedule", schedule] if schedule else []
    head = header(arguments)
    patches = read_patches(plan.settings.patches, folder)
    if output is not None:
        _write(output, kustomize_files(objects, head, patches))
        return
    text = manifest_text(objects, head)
    if patches:
        text = patched(kustomize_files(objects, head, patches))
    if not apply and not diff:
        typer.echo(text, nl=False)
        return
    cluster = _cluster(plan.namespace, context)
    if diff:
        typer.echo(cluster.diff(text) or "nothing would change")
        return
    _check_secrets(cluster, plan, objects)
    for line in cluster.apply(text, force=force):
        typer.echo(line)
    if wait_seconds:
        for line in cluster.wait(objects, wait_seconds):
            typer.echo(line)


def compose(
    app: AppTarget,
    settings: SettingsOption = None,
    secrets: Annotated[
        str,
        typer.Option("--secrets", help="Folder of the secrets, relative to the compose file."),
    ] = "./secrets",
    output: Annotated[
        Path | None,
        typer.Option("--output", help="Write compose.yaml there, and make the folders of state."),
    ] = None,
) -> None:
    """Print a compose file of an app, for docker or podman on one machine.

    Containers run as INGENIUM_USER, which owns the files of secrets and state: "$(id -u):$(id -g)".
    """
    from ingenium.deploy.compose_file import compose_file
    from ingenium.deploy.kube.manifests import header
    from ingenium.deploy.yaml_text import yaml_text

    _, plan, _ = _planned(app, settings, "")
    arguments = ["deploy", "compose", plan.target]
    arguments += ["--settings", settings.as_posix()] if settings is not None else []
    arguments += ["--secrets", secrets] if secrets != "./secrets" else []
    content, folders = compose_file(plan, secrets)
    text = header(arguments) + yaml_text(content)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        for folder in folders:
            (output / folder).mkdir(parents=True, exist_ok=True)
        (output / "compose.yaml").write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write to {output}: {error.strerror}") from error
    typer.echo(
        f"{printable(str(output / 'compose.yaml'))} is written. In its folder, with the secrets:\n"
        '  INGENIUM_USER="$(id -u):$(id -g)" docker compose up --detach'
    )


def secrets(
    app: AppTarget,
    settings: SettingsOption = None,
    namespace: NamespaceOption = "",
    directory: Annotated[
        Path | None,
        typer.Option("--directory", help="Write files, for compose, instead of manifests."),
    ] = None,
    keys: Annotated[
        bool, typer.Option("--keys", help="Use nkeys; the server knows only their public keys.")
    ] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Create them on the cluster, where none may exist.")
    ] = False,
    context: ContextOption = "",
) -> None:
    """Make new logins, certificates and passwords of an app, and print them as Secrets.

    They are random, so they stand in no manifest of `ingenium deploy kube`. Print them into what
    encrypts them, such as kubeseal, or create them on the cluster.
    """
    from ingenium.deploy.deploy_secrets import make_secrets, secret_manifests, write_secrets
    from ingenium.deploy.kube.manifests import manifest_text

    if directory is not None and apply:
        raise ConfigError("--directory and --apply exclude each other: use one of them")
    loaded, plan, _ = _planned(app, settings, namespace)
    found = make_secrets(
        loaded, plan, Settings.from_environment(), datetime.now(UTC), with_keys=keys
    )
    if directory is not None:
        write_secrets(found, directory)
        typer.echo(f"{len(found)} secrets are in {printable(str(directory))}")
        return
    text = manifest_text(secret_manifests(plan, found), "")
    if not apply:
        typer.echo(text, nl=False)
        return
    for line in _cluster(plan.namespace, context).create(text):
        typer.echo(line)


def image(
    app: AppTarget,
    settings: SettingsOption = None,
    python: Annotated[
        str,
        typer.Option("--python", metavar="IMAGE", help="Image to build on, best by its digest."),
    ] = "",
    wheel: Annotated[
        str,
        typer.Option("--wheel", metavar="FILE", help="Wheel of Ingenium below this directory."),
    ] = "",
    push: Annotated[bool, typer.Option("--push", help="Send it to its registry.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", help="Folder for the Dockerfile.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the commands, and run none.")
    ] = False,
) -> None:
    """Build the image of an app out of this directory, with docker or podman.

    Where neither works, the commands are printed.
    """
    from ingenium.deploy.image_build import (
        IMAGE_FOLDER,
        build_command,
        find_builder,
        run_build,
        write_context,
    )

    _, plan, _ = _planned(app, settings, "")
    name = plan.settings.image or plan.workloads[0].image
    file = write_context(output or IMAGE_FOLDER)
    builder = "" if dry_run else find_builder()
    commands = build_command(builder or "docker", file, name, python=python, wheel=wheel, push=push)
    if not python:
        _say(
            "note: the base image is not pinned by digest: pass --python "
            "python:3.13-slim-bookworm@sha256:..., which docker buildx imagetools inspect "
            "python:3.13-slim-bookworm tells"
        )
    if builder:
        run_build(commands)
        return
    if not dry_run:
        _say("neither docker nor podman works here; elsewhere, in this directory:")
    for command in commands:
        typer.echo(shlex.join(command))


def status(
    app: AppTarget,
    settings: SettingsOption = None,
    namespace: NamespaceOption = "",
    context: ContextOption = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the pods of an app on a cluster; the exit code is 3 if there are none."""
    from rich.table import Table

    plan = _planned(app, settings, namespace)[1]
    pods = _cluster(plan.namespace, context).pods(plan.app)
    if json:
        typer.echo(jsonlib.dumps([asdict(pod) for pod in pods]))
    elif not pods:
        typer.echo(f"no pods of {plan.app} in namespace {plan.namespace}")
    else:
        table = Table(box=None, pad_edge=False)
        for title in ("component", "pod", "state", "ready", "restarts", "node"):
            table.add_column(title)
        for pod in pods:
            ready = "yes" if pod.is_ready else "no"
            table.add_row(pod.component, pod.name, pod.phase, ready, str(pod.restarts), pod.node)
        make_console().print(table)
    if not pods:
        raise typer.Exit(3)


def logs(
    app: AppTarget,
    component: Annotated[
        str | None, typer.Argument(help="Name of a component; all when left out.")
    ] = None,
    settings: SettingsOption = None,
    namespace: NamespaceOption = "",
    context: ContextOption = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl+C.")] = False,
    tail: Annotated[int, typer.Option("--tail", min=0, help="Lines of each pod.")] = 100,
) -> None:
    """Print the logs of an app's pods on a cluster."""
    plan = _planned(app, settings, namespace)[1]
    selector = f"app.kubernetes.io/part-of={plan.app}"
    if component is not None:
        known = [each.name for each in plan.workloads] + ["nats", "postgresql"]
        if component not in known:
            raise ConfigError(f"{component!r} is no component: name one of {', '.join(known)}")
        selector += f",app.kubernetes.io/component={component}"
    command = _cluster(plan.namespace, context).command(
        "logs", "--selector", selector, "--prefix", f"--tail={tail}", "--max-log-requests=100"
    )
    code = subprocess.run([*command, *(["--follow"] if follow else [])], check=False).returncode
    if code:
        raise DeployError(f"kubectl ended with code {code}: see above")


def delete(
    app: AppTarget,
    settings: SettingsOption = None,
    namespace: NamespaceOption = "",
    context: ContextOption = "",
    data: Annotated[
        bool, typer.Option("--data", help="Delete volumes and secrets, too: all that is stored.")
    ] = False,
    yes: Annotated[
        str, typer.Option("--yes", metavar="NAME", help="Name of the app, to confirm.")
    ] = "",
) -> None:
    """Delete an app from a cluster; volumes, secrets and the namespace stay."""
    plan = _planned(app, settings, namespace)[1]
    if yes != plan.app:
        lost = "with all that is stored" if data else "but for volumes and secrets"
        raise ConfigError(
            f"this deletes app {plan.app!r} in namespace {plan.namespace!r}, {lost}: confirm with "
            f"--yes {plan.app}"
        )
    for line in _cluster(plan.namespace, context).delete(plan.app, with_data=data):
        typer.echo(line)


DEPLOY_COMMANDS: dict[str, Callable[..., None]] = {
    "kube": kube,
    "compose": compose,
    "secrets": secrets,
    "image": image,
    "status": status,
    "logs": logs,
    "delete": delete,
}


def _planned(
    target: str, path: Path | None, namespace: str, *, backtest: bool = False
) -> tuple[App, DeployPlan, Path]:
    from ingenium.deploy.deploy_plan import plan_app, plan_backtest

    app = load_app(target)
    found, folder = _settings_of(app, path)
    make = plan_backtest if backtest else plan_app
    return app, make(app, target, found, namespace), folder


def _settings_of(app: App, path: Path | None) -> tuple[DeploySettings, Path]:
    from ingenium.deploy.deploy_settings import SETTINGS_FILE, DeploySettings, read_settings

    if path is not None:
        return read_settings(path), path.parent
    folder = Path(app.source_file).parent
    file = folder / SETTINGS_FILE
    return (read_settings(file) if file.is_file() else DeploySettings()), folder


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A file of a component that is gone would still be there for those who take all.
        for old in folder.glob("*.yaml"):
            if old.name not in files and old.read_text("utf-8").startswith("# Made by ingenium "):
                old.unlink()
        for name, text in files.items():
            (folder / name).write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write to {folder}: {error.strerror}") from error
    typer.echo(f"{len(files)} files are in {printable(str(folder))}: kubectl apply -k applies them")


def _check_secrets(
    cluster: Kubectl, plan: DeployPlan, objects: Sequence[Mapping[str, Any]]
) -> None:
    """Refuse to start pods that would wait for their secrets."""
    from ingenium.deploy.kube.manifests import needed_secrets

    needed = needed_secrets(objects)
    if missing := sorted(needed - set(cluster.names("secrets", plan.app))):
        raise DeployError(
            f"namespace {plan.namespace!r} has no Secret {', '.join(missing)}: create the "
            f"namespace, and run ingenium deploy secrets {plan.target} --apply first"
        )


def _cluster(namespace: str, context: str) -> Kubectl:
    from ingenium.deploy.kube.kubectl import Kubectl

    return Kubectl(namespace, context)


def _say(text: str) -> None:
    make_console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)

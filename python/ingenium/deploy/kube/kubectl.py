"""Calls kubectl, which knows clusters, logins and server-side apply."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingenium.deploy.kube.pod_template import APP_LABEL
from ingenium.errors import ConfigError, DeployError, MissingDependencyError

__all__ = ["FIELD_MANAGER", "Kubectl", "PodState", "patched"]

FIELD_MANAGER = "ingenium"
"""Owner of the fields that are applied."""

_PROGRAM = "kubectl"
_SECONDS = 120
_ALL = (
    "statefulsets,deployments,jobs,cronjobs,services,configmaps,networkpolicies,"
    "poddisruptionbudgets,serviceaccounts"
)
_ROLLED = ("StatefulSet", "Deployment")


@dataclass(frozen=True, slots=True)
class PodState:
    """One pod of an app.

    Attributes:
        component: Name of its component.
        name: Its own name.
        phase: ``Running``, ``Pending``, ``Succeeded`` and so on; the reason why it waits, if any.
        is_ready: Whether it is ready.
        restarts: How often its container has been started again.
        node: Node that it is on; empty if on none.
    """

    component: str
    name: str
    phase: str
    is_ready: bool
    restarts: int
    node: str


class Kubectl:
    """kubectl for one namespace.

    Args:
        namespace: The namespace.
        context: Context of the configuration of kubectl; the current one when empty.
        program: The program.

    Raises:
        MissingDependencyError: kubectl is not on PATH.
    """

    def __init__(self, namespace: str, context: str = "", program: str = _PROGRAM) -> None:
        if shutil.which(program) is None:
            raise MissingDependencyError(
                f"{program} is not on PATH: install it, or give the manifests to what applies them"
            )
        self.namespace = namespace
        self._command = [program]
        if context:
            self._command += ["--context", context]

    def command(self, *arguments: str) -> list[str]:
        """Return a command in the namespace."""
        return [*self._command, "--namespace", self.namespace, *arguments]

    def diff(self, text: str) -> str:
        """Return what applying manifests would change; empty for nothing.

        Raises:
            DeployError: The cluster does not answer, or refuses them.
        """
        done = self._run(
            [*self._command, "diff", "--server-side", "--field-manager", FIELD_MANAGER, "-f", "-"],
            text,
            allowed=(0, 1),
        )
        return done.stdout

    def apply(self, text: str, *, force: bool = False) -> list[str]:
        """Apply manifests on the server's side.

        Args:
            text: The manifests.
            force: Whether to take over fields that another manager owns.

        Returns:
            A line for each object.

        Raises:
            DeployError: The cluster does not answer, refuses one, or another manager owns a field.
        """
        command = ["apply", "--server-side", "--field-manager", FIELD_MANAGER, "-f", "-"]
        command += ["--force-conflicts"] if force else []
        done = self._run([*self._command, *command], text)
        return done.stdout.splitlines()

    def create(self, text: str) -> list[str]:
        """Create objects that must not exist yet.

        Raises:
            DeployError: One exists, or the cluster refuses it.
        """
        return self._run([*self._command, "create", "-f", "-"], text).stdout.splitlines()

    def wait(self, objects: Sequence[Mapping[str, Any]], seconds: int) -> list[str]:
        """Wait until workloads have rolled out.

        Returns:
            A line for each.

        Raises:
            DeployError: One has not, within the time.
        """
        lines = []
        for each in objects:
            if each["kind"] in _ROLLED:
                name = f"{each['kind'].lower()}/{each['metadata']['name']}"
                command = self.command("rollout", "status", name, f"--timeout={seconds}s")
                done = self._run(command, seconds=seconds + 10)
                lines += done.stdout.splitlines()[-1:]
        return lines

    def pods(self, app: str) -> list[PodState]:
        """Return the pods of an app, by component.

        Raises:
            DeployError: The cluster does not answer.
        """
        found = self.get("pods", f"{APP_LABEL}={app}")
        return sorted(map(_pod_state, found), key=lambda pod: (pod.component, pod.name))

    def get(self, kind: str, selector: str) -> list[dict[str, Any]]:
        """Return objects of a kind.

        Raises:
            DeployError: The cluster does not answer.
        """
        done = self._run(self.command("get", kind, "--selector", selector, "--output", "json"))
        items: list[dict[str, Any]] = json.loads(done.stdout)["items"]
        return items

    def names(self, kind: str, app: str) -> list[str]:
        """Return the names of an app's objects of a kind.

        Raises:
            DeployError: The cluster does not answer.
        """
        return sorted(each["metadata"]["name"] for each in self.get(kind, f"{APP_LABEL}={app}"))

    def delete(self, app: str, *, with_data: bool) -> list[str]:
        """Delete the objects of an app.

        Args:
            app: Name of the app in its labels.
            with_data: Whether to delete volumes and secrets, too.

        Returns:
            A line for each.

        Raises:
            DeployError: The cluster does not answer, or refuses.
        """
        lines = []
        kinds = [_ALL] + (["persistentvolumeclaims,secrets"] if with_data else [])
        for each in kinds:
            command = self.command("delete", each, "--selector", f"{APP_LABEL}={app}")
            lines += self._run([*command, "--ignore-not-found"], seconds=300).stdout.splitlines()
        return lines

    def delete_object(self, kind: str, name: str) -> None:
        """Delete one object and what it has made; nothing if it is not there.

        Raises:
            DeployError: The cluster does not answer, or refuses.
        """
        self._run(self.command("delete", kind, name, "--ignore-not-found", "--wait=false"))

    def _run(
        self,
        command: Sequence[str],
        text: str | None = None,
        *,
        allowed: Sequence[int] = (0,),
        seconds: int = _SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        try:
            done = subprocess.run(
                command,
                input=text,
                stdin=subprocess.DEVNULL if text is None else None,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DeployError(
                f"kubectl has not ended within {seconds} s: is there a cluster?"
            ) from error
        if done.returncode not in allowed or (done.returncode and done.stderr):
            raise DeployError(f"kubectl: {_reason(done.stderr or done.stdout)}")
        return done


def patched(files: Mapping[str, str]) -> str:
    """Return the manifests of a Kustomize folder with its patches applied.

    Args:
        files: The files of the folder, by name.

    Raises:
        ConfigError: kubectl is not on PATH, or the patches do not fit.
    """
    if shutil.which(_PROGRAM) is None:
        raise ConfigError(
            "the settings name patches, which Kustomize applies, and kubectl is not on PATH: use "
            "--output, which leaves them to who has it"
        )
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text, "utf-8")
        done = subprocess.run(
            [_PROGRAM, "kustomize", folder], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise ConfigError(f"the patches cannot be applied: {done.stderr.strip()}")
    return done.stdout


def _reason(text: str) -> str:
    """Return what kubectl says, without its general advice on conflicts."""
    told, conflict, _ = text.partition("Please review the fields above")
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    if conflict:
        lines.append("--force takes these fields over")
    return "; ".join(lines[:12]) or "ended without a word"


def _pod_state(pod: Mapping[str, Any]) -> PodState:
    status = pod.get("status", {})
    containers = status.get("containerStatuses", [])
    waits = [
        each["state"]["waiting"].get("reason", "")
        for each in containers
        if "waiting" in each.get("state", {})
    ]
    labels = pod["metadata"].get("labels", {})
    return PodState(
        component=labels.get("app.kubernetes.io/component", ""),
        name=pod["metadata"]["name"],
        phase=next(filter(None, waits), status.get("phase", "Unknown")),
        is_ready=any(
            each["type"] == "Ready" and each["status"] == "True"
            for each in status.get("conditions", [])
        ),
        restarts=sum(each.get("restartCount", 0) for each in containers),
        node=pod.get("spec", {}).get("nodeName", ""),
    )

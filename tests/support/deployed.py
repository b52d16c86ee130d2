"""Runs what `ingenium deploy kube` renders, as processes of this machine instead of pods."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from support.running import until

from ingenium.nats_server.binary import find_binary

Object = dict[str, Any]
READY_SECONDS = 40


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


@dataclass
class Node:
    """One machine for all pods: paths of pods are below its folder.

    Args:
        folder: Its folder.
        objects: Rendered manifests.
        secrets: Entries by name of the Secret.
        extra: Variables for all components.
    """

    folder: Path
    objects: list[Object]
    secrets: Mapping[str, Mapping[str, str]]
    extra: Mapping[str, str] = field(default_factory=dict)
    client_port: int = field(default_factory=free_port)
    health: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    restarts: dict[str, Callable[[], None]] = field(default_factory=dict)

    def find(self, kind: str, name: str) -> Object:
        """Return the object of that kind and name."""
        [found] = [e for e in self.objects if (e["kind"], e["metadata"]["name"]) == (kind, name)]
        return found

    def pod_root(self, name: str, pod: Object) -> Path:
        """Make the volumes of a pod, and return its root."""
        root = self.folder / name
        [container] = pod["containers"]
        volumes = {each["name"]: each for each in pod["volumes"]}
        for mount in container["volumeMounts"]:
            path = root / mount["mountPath"].lstrip("/")
            path.mkdir(parents=True, exist_ok=True)
            for source in volumes.get(mount["name"], {}).get("projected", {}).get("sources", ()):
                for item in source["secret"]["items"]:
                    text = self.secrets[source["secret"]["name"]][item["key"]]
                    (path / item["path"]).write_text(text)
                    (path / item["path"]).chmod(0o600)
        return root

    @contextmanager
    def servers(self, app: str) -> Iterator[None]:
        """Run the NATS servers."""
        pods = self.find("StatefulSet", f"{app}-nats")["spec"]
        text = self.find("ConfigMap", f"{app}-nats")["data"]["nats.conf"]
        ports = [(free_port(), free_port()) for _ in range(pods["replicas"])]
        ports[0] = (self.client_port, ports[0][1])
        for number, (_, route) in enumerate(ports):
            text = text.replace(
                f"{app}-nats-{number}.{app}-nats-headless:6222", f"localhost:{route}"
            )
        monitors: list[int] = []
        with ExitStack() as stack:
            for number, (client, route) in enumerate(ports):
                name = f"{app}-nats-{number}"
                root = self.pod_root(name, pods["template"]["spec"])
                own = text.replace("0.0.0.0:4222", f"127.0.0.1:{client}")
                own = own.replace("0.0.0.0:6222", f"127.0.0.1:{route}")
                monitor = free_port()
                own = own.replace("0.0.0.0:8222", f"127.0.0.1:{monitor}")
                for path in ("/run/secrets", "/data", "/tmp/nats"):
                    own = own.replace(f'"{path}', f'"{root}{path}')
                configuration = root / "run/nats/nats.conf"
                configuration.write_text(own)
                log = stack.enter_context((self.folder / f"{name}.log").open("wb"))
                process = subprocess.Popen(
                    [find_binary(), "--config", str(configuration)],
                    env={**os.environ, "POD_NAME": name},
                    stdout=log,
                    stderr=log,
                )
                self.processes[name] = process
                stack.callback(_end, process)
                monitors.append(monitor)
            # As its probes say when a server takes part.
            [container] = pods["template"]["spec"]["containers"]
            path = container["startupProbe"]["httpGet"]["path"]
            for monitor in monitors:
                until(partial(_is_well, monitor, path), "the servers are healthy", READY_SECONDS)
            yield

    @contextmanager
    def component(self, name: str, template: Object) -> Iterator[None]:
        """Run a workload's pod."""
        pod = template["spec"]
        root = self.pod_root(name, pod)
        [container] = pod["containers"]
        app = template["metadata"]["labels"]["app.kubernetes.io/part-of"]
        values = {each["name"]: each["value"] for each in container["env"]}
        for key, value in values.items():
            if value.startswith(("/run/", "/var/")):
                values[key] = f"{root}{value}"
        values["NATS_SERVER"] = values["NATS_SERVER"].replace(
            f"{app}-nats:4222", f"localhost:{self.client_port}"
        )
        self.health[name] = free_port()
        values["INGENIUM_HEALTH_PORT"] = str(self.health[name])

        def start() -> None:
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "ingenium", *container["args"]],
                    env={**os.environ, **values, **self.extra},
                    stdout=log,
                    stderr=log,
                )

        start()
        self.restarts[name] = start
        try:
            yield
        finally:
            _end(self.processes[name])

    def wait_ready(self) -> None:
        """Wait until the readiness probe of each component succeeds."""
        for name in self.health:
            until(partial(self._is_ready, name), f"{name} is ready", READY_SECONDS)

    def log(self, name: str) -> str:
        """Return the output of a process."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-3000:]

    def _is_ready(self, name: str) -> bool:
        if self.processes[name].poll() is not None:
            # As kubelet does: a stream that has just been made may have no leader yet.
            assert self.log(name).count("error: ") < 4, self.log(name)
            self.restarts[name]()
        return probe(self.health[name], "/readyz")[0] == 200


def probe(port: int, path: str) -> tuple[int, str]:
    """Ask a probe's URL; return status and text, or 0 when nothing listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def _is_well(port: int, path: str) -> bool:
    return probe(port, path)[0] == 200


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

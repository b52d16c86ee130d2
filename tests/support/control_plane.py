"""A control plane in a process of its own, and stock clients of it: JSON over HTTP, and grpcio."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, cast

import grpc  # type: ignore[import-untyped]
from support.running import Running, running, running_command

from ingenium.control._gen.ingenium.control.v1 import session_pb

__all__ = ["PACKAGE", "Answer", "ControlClient", "control_plane", "hypercorn_plane"]

PACKAGE = session_pb.desc().proto.package
"""Package of the services."""


@dataclass(frozen=True)
class Answer:
    """Answer of the server to a request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Code of an error of the Connect protocol."""
        return cast("str", self.json["code"])


class ControlClient:
    """Calls a server with the tokens of its file."""

    def __init__(self, folder: Path, process: Running, url: str) -> None:
        access = json.loads((folder / ".ingenium" / "control.json").read_text())
        self.folder = folder
        self.process = process
        self.login_url = url
        self.url: str = access["url"]
        self.tokens: dict[str, str] = access["tokens"]
        self.host = self.url.removeprefix("http://")
        self.package = PACKAGE

    def request(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send a request as it is."""
        connection = HTTPConnection(self.host, timeout=30)
        try:
            connection.request(method, path, body or None, headers or {})
            answer: HTTPResponse = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def post(self, method: str, role: str | None = "trade", **fields: Any) -> Answer:
        """Call a method of the package with JSON."""
        headers = {"content-type": "application/json"}
        if role is not None:
            headers["authorization"] = f"Bearer {self.tokens[role]}"
        path = f"/{PACKAGE}.{method}"
        return self.request("POST", path, headers, json.dumps(fields).encode())

    def call(self, method: str, role: str = "trade", **fields: Any) -> Any:
        """Call a method, and return its answer."""
        answer = self.post(method, role, **fields)
        assert answer.status == 200, (method, answer.status, answer.body)
        return answer.json

    def stream(self, method: str, role: str = "trade", **fields: Any) -> list[Any]:
        """Call a method that answers with a stream, to its end."""
        return list(self.answers(method, role, **fields))

    def answers(self, method: str, role: str = "trade", **fields: Any) -> Iterator[Any]:
        """Call a method that answers with a stream, and yield each answer as it comes."""
        headers = {
            "content-type": "application/connect+json",
            "authorization": f"Bearer {self.tokens[role]}",
        }
        payload = json.dumps(fields).encode()
        body = b"\0" + len(payload).to_bytes(4, "big") + payload
        with closing(HTTPConnection(self.host, timeout=30)) as connection:
            connection.request("POST", f"/{PACKAGE}.{method}", body, headers)
            answer = connection.getresponse()
            assert answer.status == 200, (method, answer.status, answer.read())
            while start := answer.read(5):
                message = json.loads(answer.read(int.from_bytes(start[1:], "big")))
                if start[0] & 2:
                    assert "error" not in message, message
                    return
                yield message
        raise AssertionError(f"{method} ended without a status")

    @contextmanager
    def channel(self) -> Iterator[grpc.Channel]:
        """Return a channel of grpcio."""
        with grpc.insecure_channel(self.host) as channel:
            yield channel

    def metadata(self, role: str | None) -> Sequence[tuple[str, str]]:
        """Return the credentials of a call by grpcio."""
        return () if role is None else (("authorization", f"Bearer {self.tokens[role]}"),)


@contextmanager
def control_plane(
    folder: Path, *arguments: str, env: dict[str, str] | None = None
) -> Iterator[ControlClient]:
    """Run ``ingenium dashboard`` in a folder."""
    port = () if "--port" in arguments else ("--port", "0")
    with running("dashboard", *port, *arguments, cwd=folder, env=env) as process:
        process.until_line("/login?token=")
        path = folder / ".ingenium" / "control.json"
        process.until_line("Ctrl+C ends it")
        wait_for_file(path)
        yield ControlClient(folder, process, process.out.strip())


@contextmanager
def hypercorn_plane(folder: Path) -> Iterator[ControlClient]:
    """Run the same application under the fall-back server."""
    tests = str(Path(__file__).parents[1])
    with running_command(
        [sys.executable, "-m", "support.control_hypercorn"], cwd=folder, env={"PYTHONPATH": tests}
    ) as process:
        process.until_line("/login?token=")
        yield ControlClient(folder, process, process.out.strip())


def wait_for_file(path: Path) -> None:
    """Wait until a file has its content."""
    from support.running import until

    until(lambda: path.exists() and path.read_text().endswith("}"), f"{path} is there")

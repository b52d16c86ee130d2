"""Records what a real nats-server sends: ``python -m support.nats_recording`` in ``tests``.

Each recording is a JSON file in ``tests/data/nats``: the server's version, and the pieces that a
client sent (``>``) and received (``<``), in their order, as text in Latin-1.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from support.plain_server import PlainServer

RECORDINGS = Path(__file__).parents[1] / "data" / "nats"
_CONNECT = (
    'CONNECT {"verbose":%s,"pedantic":false,"protocol":1,"headers":true,"lang":"test","version":"1"'
    "%s}\r\n"
)
_USERS = """
authorization { users = [
  {user: guest, password: guest, permissions: {publish: ["allowed.>"], subscribe: ["allowed.>"]}}
]}
"""


class Recorder:
    """A socket to a server that notes what passes."""

    def __init__(self, server: PlainServer) -> None:
        self.frames: list[tuple[str, str]] = []
        self._socket = socket.create_connection(("127.0.0.1", server.port), timeout=10)

    def send(self, text: str) -> None:
        self.frames.append((">", text))
        self._socket.sendall(text.encode("latin-1"))

    def receive(self, until: str) -> None:
        """Read up to a text, or to the end of the connection when that is empty."""
        text = ""
        while not until or until not in text:
            data = self._socket.recv(65_536)
            if not data:
                break
            text += data.decode("latin-1")
        self.frames.append(("<", text))


def _open(recorder: Recorder, *, verbose: bool = False, user: str = "") -> None:
    recorder.receive("\r\n")
    login = f',"user":"{user}","pass":"{user}"' if user else ""
    recorder.send(_CONNECT % (str(verbose).lower(), login) + "PING\r\n")
    recorder.receive("PONG\r\n")


def _messages(recorder: Recorder, _: PlainServer) -> None:
    _open(recorder, verbose=True)
    recorder.send("SUB a.> 1\r\nSUB a.b workers 2\r\nPING\r\n")
    recorder.receive("PONG\r\n")
    recorder.send("PUB a.b 5\r\nhello\r\nPUB a.b reply.to 0\r\n\r\nPING\r\n")
    recorder.receive("PONG\r\n")
    header = "NATS/1.0\r\nX: sch\xc3\xb6n\r\n\r\n"
    recorder.send(f"HPUB a.b {len(header)} {len(header) + 8}\r\n{header}MSG 1\r\n\x00\r\n")
    recorder.send(f"HPUB a.b reply.to {len(header)} {len(header)}\r\n{header}\r\nPING\r\n")
    recorder.receive("PONG\r\n")
    recorder.send("UNSUB 1\r\nPUB a.b 1\r\nx\r\nPING\r\n")
    recorder.receive("PONG\r\n")


def _permissions(recorder: Recorder, _: PlainServer) -> None:
    _open(recorder, user="guest")
    recorder.send("PUB Secret.Orders 1\r\nx\r\nSUB Secret.> 1\r\nPING\r\n")
    recorder.receive("PONG\r\n")


def _wrong_password(recorder: Recorder, _: PlainServer) -> None:
    recorder.receive("\r\n")
    recorder.send(_CONNECT % ("false", ',"user":"guest","pass":"wrong"') + "PING\r\n")
    recorder.receive("")


def _lame_duck(recorder: Recorder, server: PlainServer) -> None:
    _open(recorder)
    assert server.process is not None
    server.process.send_signal(signal.SIGUSR2)
    recorder.receive("")


def _too_large(recorder: Recorder, _: PlainServer) -> None:
    _open(recorder)
    recorder.send("PUB a.b 2000\r\n")
    recorder.receive("")


CASES: dict[str, tuple[str, Callable[[Recorder, PlainServer], None]]] = {
    "messages": ("", _messages),
    "permissions": (_USERS, _permissions),
    "wrong_password": (_USERS, _wrong_password),
    "lame_duck": ('lame_duck_duration: "30s"\nlame_duck_grace_period: "0s"', _lame_duck),
    "too_large": ("max_payload: 1000", _too_large),
}


def main() -> None:
    RECORDINGS.mkdir(parents=True, exist_ok=True)
    for name, (config, play) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            server = PlainServer(Path(folder), config).start()
            try:
                recorder = Recorder(server)
                play(recorder, server)
            finally:
                server.kill()
        version = re.search(r'"version":"([^"]+)"', recorder.frames[0][1])
        text = {"server": version and version[1], "frames": recorder.frames}
        (RECORDINGS / f"{name}.json").write_text(json.dumps(text, indent=1) + "\n")


if __name__ == "__main__":
    main()

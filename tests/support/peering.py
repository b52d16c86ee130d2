"""A raw peer for tests of the NATS client, and configurations of real servers."""

import asyncio
import contextlib
import json

USERS = """
authorization {
  users = [
    { user: "alice", password: "%s" }
  ]
}
"""
PERMISSIONS = """
authorization {
  users = [
    { user: "limited", password: "pw", permissions: {
        publish: { deny: ["Forbidden.Out"] }
        subscribe: { deny: ["Forbidden.In"] } } }
  ]
}
"""


class Peer:
    """A server that says what the test wants it to say."""

    def __init__(self, on_connect=None):
        self._server = None
        self._on_connect = on_connect or self.accept
        self.writers = []
        self.received = bytearray()
        self.pings = 0
        self.answers_pings = True
        self.connections = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"nats://{host}:{port}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self.writers:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        self.connections += 1
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError):
            await self._on_connect(self, reader, writer)

    @staticmethod
    async def accept(peer, reader, writer):
        info = {"server_id": "x", "version": "2.15.1", "max_payload": 1048576, "headers": True}
        writer.write(b"INFO " + json.dumps(info).encode() + b"\r\n")
        while line := await reader.readline():
            peer.received += line
            if line == b"PING\r\n":
                peer.pings += 1
                if peer.answers_pings:
                    writer.write(b"PONG\r\n")

    def say(self, data):
        self.writers[-1].write(data)


async def raw_publish(server, subject, payload=b"{}", headers=b""):
    """Publish as a client could that checks nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await reader.readline()
    writer.write(b'CONNECT {"verbose":false,"headers":true}\r\n')
    if headers:
        size = len(headers) + len(payload)
        writer.write(b"HPUB %b %d %d\r\n%b%b\r\n" % (subject, len(headers), size, headers, payload))
    else:
        writer.write(b"PUB %b %d\r\n%b\r\n" % (subject, len(payload), payload))
    writer.write(b"PING\r\n")
    assert await reader.readline() == b"PONG\r\n"
    writer.close()
    await writer.wait_closed()

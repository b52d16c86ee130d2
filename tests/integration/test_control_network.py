"""The control plane for other machines: only by TLS and a password; and sessions over a restart."""

from __future__ import annotations

import json
import socket
import ssl
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import trustme
from support.control_plane import PACKAGE, ControlClient, control_plane, wait_for_file
from support.running import ingenium, running

PASSWORD = "correct horse battery"
GET_SESSION = f"/{PACKAGE}.SessionService/GetSession"
CALL = {"content-type": "application/json", "x-ingenium": "1"}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate with its key, and a password, for the other address of this machine."""
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    password.chmod(0o600)
    authority = trustme.CA()
    certificate = tmp_path / "server.pem"
    issued = authority.issue_cert(_other_address())
    issued.private_key_and_cert_chain_pem.write_to_path(certificate)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return certificate, password


def _other_address() -> str:
    """Return an address of this machine that is not its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: only a route is looked up, to a range for documentation.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but its loopback")
        return str(probe.getsockname()[0])


@pytest.mark.parametrize(
    ("host", "options", "cure"),
    [
        ("0.0.0.0", (), "is no address that a browser can open"),
        ("::", ("--certificate", "server.pem"), "is no address that a browser can open"),
        ("192.0.2.1", (), "pass --certificate as well"),
        ("192.0.2.1", ("--certificate", "server.pem"), "pass --password-file as well"),
        (
            "192.0.2.1",
            ("--certificate", "password", "--password-file", "password"),
            "certificate password cannot be used",
        ),
        (
            "192.0.2.1",
            ("--certificate", "server.pem", "--password-file", "short"),
            "has 5 characters: use 12 or more",
        ),
        (
            "192.0.2.1",
            ("--certificate", "server.pem", "--password-file", "open"),
            "can be read by others: chmod 600",
        ),
        ("localhost", ("--certificate", "server.pem"), "add --host"),
    ],
)
def test_other_machines_are_refused_without_tls_or_password(
    tmp_path: Path, files: tuple[Path, Path], host: str, options: tuple[str, ...], cure: str
) -> None:
    (tmp_path / "short").write_text("short")
    (tmp_path / "short").chmod(0o600)
    (tmp_path / "open").write_text(PASSWORD)
    (tmp_path / "open").chmod(0o644)
    ended = ingenium("dashboard", "--host", host, *options, cwd=tmp_path)
    assert ended.code == 2, ended.err
    assert cure in ended.err
    assert PASSWORD not in ended.err


@pytest.mark.timeout(90)
def test_password_opens_a_session_over_tls_only(tmp_path: Path, files: tuple[Path, Path]) -> None:
    host = _other_address()
    certificate, password = files
    options = ("--certificate", str(certificate), "--password-file", str(password))
    trust = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with running("dashboard", "--port", "0", "--host", host, *options, cwd=tmp_path) as process:
        process.until_line("whoever has its password has the role trade")
        path = tmp_path / ".ingenium" / "control.json"
        wait_for_file(path)
        access = json.loads(path.read_text())
        assert access["url"].startswith(f"https://{host}:")
        port = urlsplit(access["url"]).port
        assert port

        def send(method: str, path: str, body: str = "", **headers: str) -> tuple[int, str, str]:
            connection = HTTPSConnection(host, port, timeout=20, context=trust)
            try:
                named = {key.replace("_", "-"): value for key, value in headers.items()}
                connection.request(method, path, body or None, named)
                answer = connection.getresponse()
                assert answer.headers["strict-transport-security"] == "max-age=31536000"
                found = answer.headers.get("set-cookie") or answer.headers.get("location") or ""
                return answer.status, found, answer.read().decode()
            finally:
                connection.close()

        assert send("GET", "/", sec_fetch_mode="navigate")[:2] == (303, "/login")
        status, _, form = send("GET", "/login")
        assert status == 200
        assert '<form method="post" action="/login">' in form
        own = {"origin": access["url"], "content_type": "application/x-www-form-urlencoded"}
        right = urlencode({"password": PASSWORD})
        for status, changed in (
            (403, {"origin": "http://evil.example"}),
            (403, {"origin": access["url"].replace("https", "http")}),
            (403, {"origin": "null"}),
            (421, {"host": f"localhost:{port}"}),
        ):
            assert send("POST", "/login", right, **(own | changed))[0] == status, changed
        assert send("POST", "/login", right)[0] == 403
        assert send("POST", "/login", "x" * 5000, **own)[0] == 413
        status, cookie, _ = send("POST", "/login", right, **own)
        assert status == 303
        secret, *flags = cookie.split("; ")
        assert secret.startswith(f"__Host-ingenium_{port}=")
        assert set(flags) == {"HttpOnly", "SameSite=Strict", "Path=/", "Secure"}
        headers = {key.replace("-", "_"): value for key, value in CALL.items()}
        status, _, body = send("POST", GET_SESSION, "{}", cookie=secret, **headers)
        assert (status, json.loads(body)["role"]) == (200, "ROLE_TRADE")
        wrong = [send("POST", "/login", "password=x", **own)[0] for _ in range(6)]
        assert wrong == [403] * 5 + [429]
        assert send("POST", "/login", right, **own)[0] == 429
        # Nothing is answered without TLS.
        with socket.create_connection((host, port), timeout=20) as plain:
            plain.sendall(f"GET /login HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n".encode())
            assert b"HTTP" not in plain.recv(1000)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=20)
        assert PASSWORD not in process.out + process.err + path.read_text()


@pytest.mark.timeout(90)
def test_page_goes_on_after_a_restart_of_the_server_without_another_token(tmp_path: Path) -> None:
    def opened(plane: ControlClient) -> tuple[str, str]:
        parts = urlsplit(plane.call("SessionService/CreateLogin")["url"])
        answer = plane.request("GET", f"{parts.path}?{parts.query}")
        return plane.url, answer.headers["set-cookie"].partition(";")[0]

    with control_plane(tmp_path) as plane:
        url, cookie = opened(plane)
        other = opened(plane)[1]
        own = {**CALL, "cookie": other}
        ended = plane.request("POST", GET_SESSION.replace("Get", "End"), own, b"{}")
        assert ended.status == 200
        bearer = plane.tokens["trade"]
    port = str(urlsplit(url).port)
    # The process of the plane was killed, so nothing was tidied up.
    with control_plane(tmp_path, "--port", port, "--role", "operate") as plane:
        assert plane.url == url
        found = plane.request("POST", GET_SESSION, {**CALL, "cookie": cookie}, b"{}")
        assert (found.status, found.json["role"]) == (200, "ROLE_OPERATE")
        assert plane.request("POST", GET_SESSION, {**CALL, "cookie": other}, b"{}").status == 401
        old = {"content-type": "application/json", "authorization": f"Bearer {bearer}"}
        assert plane.request("POST", GET_SESSION, old, b"{}").status == 401
        [kept] = (tmp_path / ".ingenium").glob("control-sessions-*.json")
        assert cookie.partition("=")[2] not in kept.read_text()

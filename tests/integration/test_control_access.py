"""Who may call the control plane: credentials, roles, origins, limits and headers."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc  # type: ignore[import-untyped]
import pytest
from support.control_plane import PACKAGE, ControlClient, control_plane, hypercorn_plane

from ingenium.control.callers import AccessRole
from ingenium.control.method_roles import METHOD_ROLES
from ingenium.control.static_files import ASSETS

TOP = Path(__file__).parents[2]
GET_SESSION = f"/{PACKAGE}.SessionService/GetSession"
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module", params=["uvicorn", "hypercorn"])
def plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlClient]:
    folder = tmp_path_factory.mktemp("plane")
    make = control_plane if request.param == "uvicorn" else hypercorn_plane
    with make(folder) as client:
        yield client


def _methods() -> list[str]:
    """Return all methods of the schemas, by the words in them."""
    found = []
    for path in sorted((TOP / "proto" / PACKAGE.replace(".", "/")).glob("*.proto")):
        service = ""
        for line in path.read_text().splitlines():
            if match := re.match(r"service (\w+)", line):
                service = match[1]
            if match := re.match(r"\s+rpc (\w+)", line):
                found.append(f"{service}/{match[1]}")
    return found


METHODS = _methods()


def test_table_of_roles_has_every_method_of_the_schemas_and_no_other() -> None:
    assert len(METHODS) > 30
    assert sorted(METHOD_ROLES) == sorted(METHODS)


def test_every_method_without_credentials_or_role_is_refused(plane: ControlClient) -> None:
    for method in METHODS:
        # A stream refuses the one content type, and any other method the other one.
        answers = [
            plane.request("POST", f"/{PACKAGE}.{method}", {"content-type": kind}, body)
            for kind, body in (("application/json", b"{}"), ("application/connect+json", b""))
        ]
        assert sum(b"unauthenticated" in answer.body for answer in answers) == 1, method
        assert sum(answer.status == 415 for answer in answers) == 1, method
    with plane.channel() as channel:
        for method in METHODS:
            call = channel.unary_stream(f"/{PACKAGE}.{method}")
            refused = _refusal(call, plane.metadata(None))
            assert refused.code() is grpc.StatusCode.UNAUTHENTICATED, method
            if (needed := METHOD_ROLES[method]) > AccessRole.READ:
                lower = AccessRole(needed - 1).name.lower()
                refused = _refusal(call, plane.metadata(lower))
                assert refused.code() is grpc.StatusCode.PERMISSION_DENIED, method
                assert f"needs the role {needed.name.lower()}" in refused.details()


def _refusal(call: Any, metadata: Any) -> Any:
    """Return the error of a call.

    hypercorn may close the connection or reset the stream when an answer is ready before the body
    has arrived, so a call that got no answer is made again.
    """
    for _ in range(5):
        with pytest.raises(grpc.RpcError) as refused:
            list(call(b"", metadata=metadata, timeout=20))
        if refused.value.code() not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL}:
            break
    return refused.value


def test_one_session_serves_json_over_http_and_grpc(plane: ControlClient) -> None:
    by_json = plane.call("SessionService/GetSession", "read")
    assert by_json["role"] == "ROLE_READ"
    with plane.channel() as channel:
        call = channel.unary_unary(GET_SESSION)
        assert b"(read token)" in call(b"", metadata=plane.metadata("read"))


def test_health_and_reflection_of_grpc_know_the_services(plane: ControlClient) -> None:
    name = f"{PACKAGE}.WatchService".encode()
    with plane.channel() as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        metadata = plane.metadata("read")
        # Field 1 of the answer is 1, which is SERVING; field 1 of the request is the name.
        assert check(b"", metadata=metadata, timeout=20) == b"\x08\x01"
        named = bytes([0x0A, len(name)]) + name
        assert check(named, metadata=metadata, timeout=20) == b"\x08\x01"
        with pytest.raises(grpc.RpcError) as unknown:
            check(b"\x0a\x01x", metadata=metadata, timeout=20)
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
        reflect = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
        # Field 7 asks for the list of services.
        [answer] = reflect(iter([b"\x3a\x00"]), metadata=metadata, timeout=20)
        assert name in answer

        def reflect_once(_body: bytes, **options: Any) -> Any:
            return reflect(iter([b"\x3a\x00"]), **options)

        refused = _refusal(reflect_once, plane.metadata(None))
        assert refused.code() is grpc.StatusCode.UNAUTHENTICATED


def test_url_opens_one_session_of_a_browser_whose_requests_must_be_its_pages(
    plane: ControlClient,
) -> None:
    url = plane.call("SessionService/CreateLogin")["url"]
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}"
    opened = plane.request("GET", path)
    assert (opened.status, opened.headers["location"]) == (303, "/")
    cookie, *flags = opened.headers["set-cookie"].split("; ")
    assert set(flags) == {"HttpOnly", "SameSite=Strict", "Path=/"}
    assert plane.request("GET", path).status == 403

    own = {**JSON, "cookie": cookie, "x-ingenium": "1"}
    found = plane.request("POST", GET_SESSION, own, b"{}")
    assert (found.status, found.json["role"]) == (200, "ROLE_TRADE")
    hour = int(found.json["idleEndTime"]) - int(found.json["serverTime"])
    assert 3590 < hour / 1e9 <= 3600
    for status, changed in (
        (403, {"x-ingenium": None}),
        (403, {"origin": "http://evil.example"}),
        (403, {"origin": "null"}),
        (403, {"sec-fetch-site": "cross-site"}),
        (403, {"sec-fetch-site": "same-site"}),
        (415, {"content-type": "text/plain"}),
        (415, {"content-type": "application/x-www-form-urlencoded"}),
        (400, {"authorization": "Bearer \u00e9"}),
        (421, {"host": "evil.example"}),
        (421, {"host": "localhost"}),
    ):
        headers = {key: value for key, value in (own | changed).items() if value is not None}
        assert plane.request("POST", GET_SESSION, headers, b"{}").status == status, changed
    assert plane.request("GET", GET_SESSION, own).status == 405

    ended = plane.request("POST", GET_SESSION.replace("GetSession", "EndSession"), own, b"{}")
    assert ended.status == 200
    assert plane.request("POST", GET_SESSION, own, b"{}").status == 401


def test_wrong_tokens_are_refused_and_attempts_to_log_in_are_counted(tmp_path: Path) -> None:
    with control_plane(tmp_path, "--role", "operate") as plane:
        assert sorted(plane.tokens) == ["operate", "read"]
        for text in ("Bearer ", f"Bearer {plane.tokens['read']}x", "Basic Zm9v"):
            headers = {**JSON, "authorization": text}
            assert plane.request("POST", GET_SESSION, headers, b"{}").status == 401, text
        attempts = [plane.request("GET", "/login?token=x").status for _ in range(6)]
        assert attempts == [403] * 5 + [429]
        assert stat.S_IMODE((tmp_path / ".ingenium" / "control.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "path",
    ["/", "/transactions?symbol=AAPL", "/assets/none.js", "/login", GET_SESSION, "/x/y.php"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_every_answer_has_the_headers_and_names_no_server(
    plane: ControlClient, path: str, method: str
) -> None:
    headers = plane.request(method, path).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert not {"server", "access-control-allow-origin", "x-powered-by"} & set(headers)


@pytest.mark.parametrize(
    "path",
    [
        "///etc/passwd",
        "/%2e%2e/static_files.py",
        "/../static_files.py",
        "/assets/../../callers.py",
        "/..%5ccallers.py",
        "/assets/%00.js",
        "/.ingenium/control.json",
        "/callers.py",
    ],
)
def test_files_outside_of_the_pages_are_not_served(plane: ControlClient, path: str) -> None:
    answer = plane.request("GET", path)
    assert answer.status in {400, 404} or answer.body == (ASSETS / "index.html").read_bytes()
    assert b"ingenium.control" not in answer.body
    assert b"root:" not in answer.body


def test_large_requests_are_refused_by_both_protocols(plane: ControlClient) -> None:
    headers = {**JSON, "authorization": f"Bearer {plane.tokens['read']}"}
    assert plane.request("POST", GET_SESSION, headers, b" " * 70_000).status == 413
    with plane.channel() as channel:
        call = channel.unary_unary(GET_SESSION)
        with pytest.raises(grpc.RpcError) as refused:
            call(b"\n" + b"x" * 5_000_000, metadata=plane.metadata("read"), timeout=20)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

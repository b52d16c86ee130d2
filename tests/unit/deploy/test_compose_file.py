"""The compose file: what docker compose takes, and no more rights than on a cluster."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from support.go_programs import build_go
from support.rendered import DESK, DESK_SETTINGS, FOLDER, LIVE, ROOT, plan
from support.running import ingenium

from ingenium.cli.deploy import DEPLOY_COMMANDS
from ingenium.deploy.compose_file import compose_file
from ingenium.deploy.deploy_settings import read_settings


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program with the library of docker compose."""
    program = tmp_path_factory.mktemp("compose") / "compose"
    error = build_go("tests/compose", program, seconds=600)
    assert not error, error
    return program


def problems(reader: Path, folder: Path, text: str) -> str:
    (folder / "compose.yaml").write_text(text)
    (folder / "ticks.env").write_text("TICKS=1\n")
    done = subprocess.run(
        [reader, folder / "compose.yaml"], capture_output=True, text=True, check=False, timeout=30
    )
    return done.stdout


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["compose", "compose_desk"])
def test_docker_compose_takes_it(reader: Path, tmp_path: Path, name: str) -> None:
    assert problems(reader, tmp_path, (FOLDER / f"{name}.yaml").read_text()) == ""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("read_only: true", "readonly: true", "services.live-"),
        ("condition: service_healthy", "condition: healthy", "condition"),
        ("- source: nats\n", "- source: natz\n", "natz"),
    ],
)
def test_docker_compose_refuses_a_planted_fault(
    reader: Path, tmp_path: Path, old: str, new: str, problem: str
) -> None:
    text = (FOLDER / "compose.yaml").read_text()
    assert old in text
    assert problem in problems(reader, tmp_path, text.replace(old, new))


def test_containers_have_the_rights_of_pods() -> None:
    content, folders = compose_file(plan(DESK, read_settings(DESK_SETTINGS)), "./secrets")
    for name, service in content["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"] == "${INGENIUM_USER:-10001:10001}", name
        ports = [port for port in service.get("ports", []) if not port.startswith("127.0.0.1:")]
        assert ports == [], name
    outside = {n for n, s in content["services"].items() if "outside" in s["networks"]}
    # The server publishes a port of this machine, which takes a network that is not internal.
    assert outside == {"desk-1-nats", "desk-1-ticks", "desk-1-venue"}
    assert content["networks"]["bus"] == {"internal": True}
    assert content["services"]["desk-1-venue"]["volumes"] == [
        "./state/venue:/var/lib/ingenium",
        "./secrets/broker:/run/secrets/broker:ro",
    ]
    assert folders == [
        "state/nats",
        "state/postgresql",
        "state/sma-cross",
        "state/fixed-quantity",
        "state/venue",
    ]


def test_text_of_a_configuration_is_not_interpolated() -> None:
    text = (FOLDER / "compose.yaml").read_text()
    assert "server_name: $$POD_NAME" in text
    assert yaml.safe_load(text)["services"]["live-nats"]["environment"]["POD_NAME"] == "live-nats"


def test_command_writes_the_file_and_makes_the_folders_of_state(tmp_path: Path) -> None:
    done = ingenium("deploy", "compose", LIVE, "--output", str(tmp_path), cwd=ROOT)
    assert done.code == 0
    assert (tmp_path / "compose.yaml").read_text() == (FOLDER / "compose.yaml").read_text()
    assert (tmp_path / "state/paper").is_dir()


def test_commands_of_deploy_are_told_in_the_page_of_the_command_line() -> None:
    page = (ROOT / "docs/command-line.md").read_text()
    assert [name for name in DEPLOY_COMMANDS if f"deploy {name}" not in page] == []


def test_secrets_are_printed_as_objects_or_written_and_never_both(tmp_path: Path) -> None:
    done = ingenium("deploy", "secrets", LIVE, cwd=ROOT)
    kinds = {each["kind"] for each in yaml.safe_load_all(done.out)}
    assert (done.code, kinds) == (0, {"Secret"})
    done = ingenium("deploy", "secrets", LIVE, "--directory", "s", "--apply", cwd=ROOT)
    assert (done.code, "exclude each other" in done.err) == (2, True)


def test_image_is_told_where_nothing_builds_it(tmp_path: Path) -> None:
    done = ingenium(
        "deploy",
        "image",
        LIVE,
        "--dry-run",
        "--output",
        str(tmp_path),
        "--python",
        "python@sha256:" + "8" * 64,
        cwd=ROOT,
    )
    assert done.code == 0
    assert done.out == (
        f"docker build --file {tmp_path}/Dockerfile --tag live:latest --build-arg "
        f"PACKAGE=ingenium==0.1.0 --build-arg PYTHON=python@sha256:{'8' * 64} .\n"
    )
    assert "USER 10001:10001" in (tmp_path / "Dockerfile").read_text()
    ignored = (tmp_path / "Dockerfile.dockerignore").read_text().splitlines()
    assert {".git", "secrets", "**/*.creds", "**/*.key", "**/.env"} <= set(ignored)


def test_pinned_refuses_what_may_be_exchanged() -> None:
    done = ingenium("deploy", "kube", LIVE, "--pinned", cwd=ROOT)
    assert done.code == 2
    assert "not pinned by digest: live:latest, nats:2.15.1-alpine, postgres:17-bookworm" in done.err
    settings = ["--settings", str(DESK_SETTINGS), "--pinned"]
    done = ingenium("deploy", "kube", DESK, *settings, cwd=ROOT)
    assert (done.code, done.err) == (0, "")

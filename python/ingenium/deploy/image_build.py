"""Builds the image of an app, with docker or podman."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from ingenium._version import __version__
from ingenium.errors import ConfigError, DeployError

__all__ = ["IMAGE_FOLDER", "build_command", "find_builder", "run_build", "write_context"]

IMAGE_FOLDER = Path(".ingenium") / "image"
_PROGRAMS = ("docker", "podman")
_LOOK_SECONDS = 20
_IGNORED = """\
# No secret, no state and nothing of this machine goes into the image.
.git
.venv
.ingenium
secrets
**/__pycache__
**/*.py[co]
**/.env
**/*.creds
**/*.login
**/*.nk
**/*.key
"""


def write_context(folder: Path) -> Path:
    """Write the Dockerfile, and the list of what stays out of the image.

    Args:
        folder: Where to; the image itself is made of the working directory.

    Returns:
        The Dockerfile.

    Raises:
        ConfigError: They cannot be written.
    """
    file = folder / "Dockerfile"
    text = files("ingenium.deploy").joinpath("Dockerfile").read_text("utf-8")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        (folder / "Dockerfile.dockerignore").write_text(_IGNORED, "utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write to {folder}: {error.strerror}") from error
    return file


def build_command(
    program: str, file: Path, image: str, *, python: str = "", wheel: str = "", push: bool = False
) -> list[list[str]]:
    """Return the commands that build an image.

    Args:
        program: ``"docker"`` or ``"podman"``.
        file: The Dockerfile.
        image: Name and tag.
        python: Image to build on, best by its digest; that of the Dockerfile when empty.
        wheel: Wheel of Ingenium in the working directory; this version from the index when empty.
        push: Whether it is sent to its registry.

    Raises:
        ConfigError: The wheel is outside of the working directory.
    """
    source = f"ingenium=={__version__}"
    if wheel:
        if not Path(wheel).is_file() or Path(wheel).is_absolute() or ".." in Path(wheel).parts:
            raise ConfigError(f"{wheel} is no file below the working directory: copy it there")
        source = Path(wheel).as_posix()
    command = [program, "build", "--file", str(file), "--tag", image.partition("@")[0]]
    command += ["--build-arg", f"PACKAGE={source}"]
    if python:
        command += ["--build-arg", f"PYTHON={python}"]
    if program == "podman":
        command += ["--ignorefile", f"{file}.dockerignore"]
    commands = [[*command, "."]]
    if push:
        commands.append([program, "push", image.partition("@")[0]])
    return commands


def find_builder() -> str:
    """Return the first of docker and podman that works; empty if none does."""
    for program in _PROGRAMS:
        if shutil.which(program) is None:
            continue
        try:
            done = subprocess.run(
                [program, "info"], capture_output=True, timeout=_LOOK_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0:
            return program
    return ""


def run_build(commands: Sequence[Sequence[str]]) -> None:
    """Run the commands; their output is the user's.

    Raises:
        DeployError: One failed.
    """
    for command in commands:
        code = subprocess.run(command, check=False).returncode
        if code:
            raise DeployError(f"{' '.join(command[:2])} ended with code {code}: see above")

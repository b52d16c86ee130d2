"""Description of an app as its files define it at present, made in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ingenium.components import App, External, load_app
from ingenium.components.component import role_of
from ingenium.components.external import command_files
from ingenium.deploy.local.code_fingerprint import CodeWalk, is_user_code, user_modules
from ingenium.errors import ConfigError, IngeniumError

__all__ = ["AppDescription", "ComponentDescription", "describe_app"]

_PARTS = frozenset(
    {"ingestors", "strategies", "portfolio", "executor", "components", "source_file"}
)
_BUILT = frozenset({"node_modules", "target", "build", "dist", "__pycache__", "venv"})
_MOST_FILES = 2000
_SECONDS = 60.0


class ComponentDescription(msgspec.Struct, frozen=True):
    """What a component is, in digests.

    Attributes:
        interface: Role, symbols and command: what the rest of the app relies on.
        code: Code and parameters.
    """

    interface: str
    code: str


class AppDescription(msgspec.Struct, frozen=True):
    """An app as its files define it.

    Attributes:
        app: Digest of the settings of the app itself.
        components: By name, in the order of the app.
        files: The source files that define it.
    """

    app: str
    components: dict[str, ComponentDescription]
    files: list[str]


async def describe_app(target: str) -> AppDescription:
    """Load an app in a fresh process, and describe it.

    Args:
        target: As on the command line.

    Raises:
        ConfigError: The app cannot be loaded; the text is that of the error.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", f"from {__name__} import main; main()", target),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            output, errors = await process.communicate()
    except TimeoutError as error:
        raise ConfigError(f"{target} was not loaded within {_SECONDS:g} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        text = errors.decode("utf-8", "backslashreplace").strip()
        raise ConfigError(text or f"{target} cannot be loaded: code {process.returncode}")
    # The user's modules may print as well.
    return msgspec.json.decode(output.rstrip().rpartition(b"\n")[2], type=AppDescription)


def _describe(app: App) -> AppDescription:
    files = set(user_modules())
    if is_user_code(app.source_file):
        files.add(Path(app.source_file).resolve())
    components = {}
    for component in app.components:
        interface, code = CodeWalk(), CodeWalk()
        interface.add([role_of(component), getattr(component, "symbols", None)])
        if isinstance(component, External):
            interface.add(vars(component) | {"_handle": None})
            own = list(_files_of(component))
            code.add([(str(file), file.read_bytes()) for file in own])
            files |= set(own)
        else:
            code.add(component)
        files |= code.imported
        components[component.name] = ComponentDescription(interface.digest(), code.digest())
    rest = CodeWalk()
    rest.add({name: each for name, each in vars(app).items() if name not in _PARTS})
    return AppDescription(
        rest.digest(), components, sorted(str(file) for file in files | rest.imported)
    )


def _files_of(component: External) -> Iterator[Path]:
    """Yield the files that a command names, and those in its directory."""
    yield from command_files(component)
    if component.directory is None:
        return
    count = 0
    folders = [component.directory.resolve()]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            if path.name.startswith(".") or path.name in _BUILT or path.is_symlink():
                continue
            if path.is_dir():
                folders.append(path)
            elif path.is_file() and (count := count + 1) <= _MOST_FILES:
                yield path


def main() -> None:
    """Print the description of the app that the command line names, as JSON."""
    try:
        found = _describe(load_app(sys.argv[1]))
    except IngeniumError as error:
        sys.exit(str(error))
    sys.stdout.write("\n" + msgspec.json.encode(found).decode() + "\n")

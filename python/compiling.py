"""Compiles the modules that every bar of a backtest goes through, with mypyc.

``python compiling.py`` puts the extension modules beside their sources, where they are imported
instead of them; ``python compiling.py --remove`` takes them away. Which modules, pyproject.toml
says. Without a C compiler nothing is compiled, and everything works as it is written.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import sysconfig
import tempfile
import tomllib
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).parent
_SHOWN = 160
SHARED = "ingenium"
"""Names the library that the extension modules share."""


STAMP = HERE / f"{SHARED}__mypyc.sources"
"""Says which sources were compiled: a SHA-256 and a path on each line, as `ingenium._native` reads."""


def sources() -> list[Path]:
    """Return the modules to compile."""
    settings = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["ingenium"]["compiled"]
    found = sorted(path for pattern in patterns for path in HERE.glob(pattern))
    # A package itself has nothing to be made faster.
    return [path for path in found if path.name != "__init__.py"]


def libraries() -> list[Path]:
    """Return the extension modules that are there."""
    return [
        library
        for ending in ("so", "pyd")
        for library in (
            *HERE.glob(f"{SHARED}__mypyc.*.{ending}"),
            *HERE.rglob(f"ingenium/**/*.{ending}"),
        )
    ]


def are_fresh() -> bool:
    """Whether the extension modules are those of the sources, for this Python."""
    ending = sysconfig.get_config_var("EXT_SUFFIX")
    there = [library for library in libraries() if library.name.endswith(ending)]
    if len(there) <= len(sources()) or not STAMP.exists():
        return False
    return STAMP.read_text(encoding="utf-8") == digests()


def digests() -> str:
    """Return the lines of the stamp."""
    return "".join(
        f"{sha256(path.read_bytes()).hexdigest()}  {path.relative_to(HERE).as_posix()}\n"
        for path in sources()
    )


def remove() -> None:
    """Take the extension modules away."""
    for library in libraries():
        library.unlink()
    STAMP.unlink(missing_ok=True)


def build(into: Path) -> list[Path]:
    """Compile, and return the extension modules.

    Args:
        into: The folder that holds the package ``ingenium``, or is to.

    Raises:
        Exception: There is no compiler, or it failed; nothing is left behind then.
    """
    from mypyc.build import mypycify
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        # The names of modules follow from their paths.
        os.chdir(HERE)
        try:
            extensions = mypycify(
                ["--config-file", "pyproject.toml", *(str(p.relative_to(HERE)) for p in sources())],
                target_dir=folder,
                group_name=SHARED,
                opt_level="2",
                debug_level="0",
            )
            command = build_ext(Distribution({"name": SHARED, "ext_modules": extensions}))
            command.build_lib, command.build_temp = f"{folder}/lib", f"{folder}/objects"
            command.ensure_finalized()
            command.run()
        finally:
            os.chdir(before)
        built: list[Path] = []
        for library in sorted(Path(folder, "lib").rglob("*")):
            if library.is_file():
                place = into / library.relative_to(Path(folder, "lib"))
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, place)
                built.append(place)
    return built


def main() -> int:
    """Compile, or say why not."""
    if "--remove" in sys.argv[1:]:
        remove()
        return 0
    if are_fresh():
        return 0
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            remove()
            built = build(HERE)
        STAMP.write_text(digests(), encoding="utf-8")
    # Whatever a compiler of this machine may do, Ingenium works without.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        lines = [*said.getvalue().splitlines(), f"{type(error).__name__}: {error}"]
        print(
            f"not compiled, so backtests take longer; the rest is the same ({lines[-1][:_SHOWN]})"
        )
        return 0
    print(f"compiled {len(built) - 1} modules")  # the other one is the library that they share
    return 0


if __name__ == "__main__":
    sys.exit(main())

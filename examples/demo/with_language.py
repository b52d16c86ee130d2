"""The demo with its strategy in another language, held against the one in Python.

``make demo-go``, ``demo-java``, ``demo-rust`` and ``demo-typescript`` call it with the language's
name.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
GO = HERE.parent / "go"
# The module proxy may refuse the original library; the rest is of this project.
MAY_BE_MISSING = "original"
REFUSED = "github.com/markwinter/ingenium@"
JAVA = "java/rsi/src/main/java/com/example/rsi/Main.java"
COMMENTS = ("//", "/*", "*")


def build_go(console: Console, name: str) -> bool:
    """Build one strategy into ``examples/go/bin``; return whether its modules could be had.

    Raises:
        SystemExit: It does not build for another reason.
    """
    folder = GO / name if (GO / name / "go.mod").exists() else GO
    package = "." if folder == GO / name else f"./{name}"
    program = GO / "bin" / name
    program.unlink(missing_ok=True)
    console.print(f"building examples/go/{name}")
    problem = _problem(console, ["go", "build", "-o", str(program), package], folder)
    if problem and (name != MAY_BE_MISSING or REFUSED not in problem):
        sys.exit(1)
    return not problem


def build_typescript(console: Console, name: str) -> bool:
    """Build the library, and the strategy into ``examples/typescript/dist``.

    Raises:
        SystemExit: It does not build.
    """
    console.print(f"building typescript and examples/{name}")
    for folder in (HERE.parents[1] / name, HERE.parent / name):
        for command in (["npm", "ci", "--ignore-scripts"], ["npm", "run", "build"]):
            if _problem(console, command, folder):
                sys.exit(1)
    return True


def build_java(console: Console, name: str) -> bool:
    """Build the library, and the strategy into ``examples/java/rsi/target``.

    Raises:
        SystemExit: It does not build.
    """
    return _build(console, name, ["mvn", "-q", "-B", "package"])


def build_rust(console: Console, name: str) -> bool:
    """Build the strategy into ``examples/rust/target``.

    Raises:
        SystemExit: It does not build.
    """
    return _build(console, name, ["cargo", "build", "-q", "--locked", "--release"])


def _build(console: Console, name: str, command: list[str]) -> bool:
    console.print(f"building examples/{name}, which takes minutes the first time")
    if _problem(console, command, HERE.parent / name):
        sys.exit(1)
    return True


def _problem(console: Console, command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    # npm prints what its tools say on standard output.
    problem = (done.stderr + done.stdout).strip() or f"{command[0]} ended with {done.returncode}"
    console.print(problem, style="yellow", markup=False, highlight=False)
    return problem


def run(function: str) -> tuple[dict[str, Any], float]:
    """Run the demo with one strategy; return its result and the seconds that it took."""
    began = monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "ingenium", "run", f"{HERE / 'app.py'}:{function}", "--json"],
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        sys.exit(done.returncode)
    result: dict[str, Any] = json.loads(done.stdout)
    return result, monotonic() - began


def lines_of_code(source: str) -> int:
    """Count the lines of a file below ``examples``, blank ones and comments left out."""
    lines = map(str.strip, (HERE.parent / source).read_text().splitlines())
    return sum(bool(line) and not line.startswith(COMMENTS) for line in lines)


@dataclass(frozen=True)
class Strategy:
    """One strategy: its function in ``app.py``, its name for ``build``, what it shows, its file."""

    function: str
    name: str
    what: str
    source: str


@dataclass(frozen=True)
class Language:
    """How the strategies of a language are built."""

    program: str
    cure: str
    build: Callable[[Console, str], bool]
    strategies: tuple[Strategy, ...]


LANGUAGES = {
    "go": Language(
        "go",
        "install Go 1.24 or later",
        build_go,
        (
            Strategy(
                "go_protojson", "protojson", "Go, on the library, reports", "go/protojson/main.go"
            ),
            Strategy(
                "go_structs", "structs", "Go, on structs of its own, silent", "go/structs/main.go"
            ),
            Strategy(
                "go_original",
                "original",
                "Go, on the original library, silent",
                "go/original/main.go",
            ),
        ),
    ),
    "java": Language(
        "mvn",
        "install a JDK 17 or later, and Maven",
        build_java,
        (Strategy("java", "java", "Java, on the library, reports", JAVA),),
    ),
    "rust": Language(
        "cargo",
        "install Rust 1.89 or later",
        build_rust,
        (Strategy("rust", "rust", "Rust, on the library, reports", "rust/src/main.rs"),),
    ),
    "typescript": Language(
        "npm",
        "install Node.js 20 or later",
        build_typescript,
        (
            Strategy(
                "typescript",
                "typescript",
                "TypeScript, on the library, reports",
                "typescript/src/main.ts",
            ),
        ),
    ),
}


def main(arguments: list[str]) -> int:
    """Print how the runs compare; return 1 when trades differ, 2 when it cannot be tried."""
    console = Console(stderr=True, highlight=False)
    if len(arguments) != 1 or arguments[0] not in LANGUAGES:
        console.print(f"[bold red]error:[/] pass one language of {', '.join(LANGUAGES)}")
        return 2
    language = LANGUAGES[arguments[0]]
    if shutil.which(language.program) is None:
        console.print(f"[bold red]error:[/] {language.program} is not on PATH: {language.cure}")
        return 2
    table = Table("strategy", "lines", "seconds", "trades", "equity", "equal trades")
    expected, seconds = run("app")
    table.add_row("Python", "", *_row(expected, seconds), "")
    differ = False
    for strategy in language.strategies:
        lines = str(lines_of_code(strategy.source))
        if not language.build(console, strategy.name):
            table.add_row(strategy.what, lines, "", "", "", "[yellow]could not be downloaded[/]")
            continue
        result, seconds = run(strategy.function)
        equal = result["trades"] == expected["trades"]
        differ = differ or not equal
        verdict = "[green]yes[/]" if equal else "[bold red]NO[/]"
        table.add_row(strategy.what, lines, *_row(result, seconds), verdict)
    Console().print(table)
    return 1 if differ else 0


def _row(result: dict[str, Any], seconds: float) -> list[str]:
    return [f"{seconds:.0f}", str(len(result["trades"])), result["equity"]]


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", "100")
    sys.exit(main(sys.argv[1:]))

"""The demo with its strategy in Go, held against the one in Python: ``make demo-go``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
GO = HERE.parent / "go"
STRATEGIES = {
    "protojson": "on generated types, reports",
    "structs": "on structs of its own, silent",
    "original": "on the original library, silent",
}
# The module proxy may refuse the original library; the rest is of this project.
MAY_BE_MISSING = "original"
REFUSED = "github.com/markwinter/ingenium@"


def build(console: Console, name: str) -> bool:
    """Build one strategy into ``examples/go/bin``; return whether its modules could be had.

    Raises:
        SystemExit: It does not build for another reason.
    """
    folder = GO / name if (GO / name / "go.mod").exists() else GO
    package = "." if folder == GO / name else f"./{name}"
    program = GO / "bin" / name
    program.unlink(missing_ok=True)
    console.print(f"building examples/go/{name}")
    done = subprocess.run(
        ["go", "build", "-o", str(program), package],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        console.print(done.stderr.strip(), style="yellow", markup=False, highlight=False)
        if name != MAY_BE_MISSING or REFUSED not in done.stderr:
            sys.exit(1)
    return done.returncode == 0


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


def main() -> int:
    """Print how the runs compare; return 1 when trades differ."""
    console = Console(stderr=True, highlight=False)
    if shutil.which("go") is None:
        console.print("[bold red]error:[/] go is not on PATH: install Go 1.24 or later")
        return 2
    table = Table("strategy", "seconds", "trades", "equity", "equal trades")
    expected, seconds = run("app")
    row = [f"{seconds:.0f}", str(len(expected["trades"])), expected["equity"]]
    table.add_row("Python", *row, "")
    differ = False
    for name, what in STRATEGIES.items():
        if not build(console, name):
            table.add_row(f"Go, {what}", "", "", "", "[yellow]could not be downloaded[/]")
            continue
        result, seconds = run(f"go_{name}")
        equal = result["trades"] == expected["trades"]
        differ = differ or not equal
        row = [f"{seconds:.0f}", str(len(result["trades"])), result["equity"]]
        table.add_row(f"Go, {what}", *row, "[green]yes[/]" if equal else "[bold red]NO[/]")
    Console().print(table)
    return 1 if differ else 0


if __name__ == "__main__":
    os.environ.setdefault("COLUMNS", "100")
    sys.exit(main())

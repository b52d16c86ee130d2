"""Checks that subjects, names of streams and wire keys stand in their only home."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Rule", "main", "violations"]

PACKAGE = Path(__file__).parents[1] / "python" / "ingenium"


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of text, and where it may be written.

    Attributes:
        what: Its name, for the message.
        pattern: Finds it in a string.
        home: The folder of the package that may have it.
        cure: What to do instead.
    """

    what: str
    pattern: re.Pattern[str]
    home: str
    cure: str


RULES = (
    Rule(
        "subject",
        re.compile(r"\bingenium\.(?:(?:ingestor|strategy|portfolio|executor|risk|control|deadletter)\.|[>*])|\b_ingenium\b"),
        "subjects",
        "import it from ingenium.subjects.names",
    ),
    Rule(
        "name of a stream or bucket",
        re.compile(r"\bINGENIUM(?:_DATA|_STATUS|_SWEEP_[A-Z]+)?\b|\bingenium_lease\b"),
        "subjects",
        "import it from ingenium.subjects.server_names",
    ),
    Rule(
        "JSON key of an event",
        re.compile(r'"[A-Z][A-Za-z]+": ?["{\[]'),
        "events",
        "get the line from ingenium.events.line_template",
    ),
    Rule(
        "rule of a field by its full name",
        re.compile(r"\bingenium\.v1\.[A-Z]\w+\.\w+"),
        "events",
        "make it an option in proto/ingenium/v1/options.proto",
    ),
)  # fmt: skip
_GENERATED = {"_gen", "v1"}


def violations(package: Path = PACKAGE) -> Iterator[str]:
    """Yield a line for each text that stands outside of its home."""
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package)
        if _GENERATED & set(inside.parts):
            continue
        for line, text in _strings(ast.parse(path.read_text("utf-8"))):
            for rule in RULES:
                found = rule.pattern.search(text)
                if found is not None and inside.parts[0] != rule.home:
                    yield (
                        f"{inside}:{line}: the {rule.what} {found[0]!r} is written here, and its "
                        f"only home is {rule.home}/: {rule.cure}"
                    )


def _strings(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the strings of a module that are no docstrings, with their lines."""
    docs = {
        id(node.value)
        for node in ast.walk(module)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value


def main() -> int:
    """Print what stands outside of its home; return the exit code."""
    found = list(violations())
    sys.stderr.writelines(f"{line}\n" for line in found)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())

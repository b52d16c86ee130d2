"""The runners: how each is built, and how it is asked about vectors."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.forms import EVENTS
from conformance.vector import Vector

__all__ = ["BUILD", "RUNNERS", "Answer", "MissingError", "Runner", "ask", "given"]

HERE = Path(__file__).parent
TOP = HERE.parents[1]
BUILD = HERE / "build"
"""Where programs are built; Git does not see it."""

REFUSED = "the Go module proxy refuses github.com/markwinter/ingenium"
_BUILD_SECONDS = 580
_RUN_SECONDS = 120


class MissingError(Exception):
    """A runner cannot be built here: its text says what is missing."""

    def __init__(self, problem: str, *, allowed_on_ci: bool = False) -> None:
        super().__init__(problem)
        self.allowed_on_ci = allowed_on_ci


@dataclass(frozen=True)
class Runner:
    """A runtime whose component could be on the bus.

    Attributes:
        name: Its name in the table of differences, ``"go-protojson"``.
        title: What it is, for readers.
        build: Builds it where needed, and returns the command that runs it.
        events: Events that it has.
        exact: Whether its JSON must be the format's byte for byte, and not just in its values.
        no_presence: Whether it writes all of its fields at all times; extension fields that it
            writes empty then count for nothing.
        same_as: Name of the runner whose differences it has.
    """

    name: str
    title: str
    build: Callable[[], list[str]]
    events: tuple[str, ...] = EVENTS
    exact: bool = False
    no_presence: bool = False
    same_as: str = ""


@dataclass(frozen=True)
class Answer:
    """What a runner made of a vector.

    Attributes:
        verdict: ``"accepted"``, ``"refused"``, or ``"unknown"`` when it has no such event.
        binary: The value in protobuf's binary form; ``None`` when it has none.
        json: The value written again; ``None`` when it was refused, or cannot be written.
        error: Why it was refused or cannot be written, in the runtime's words.
    """

    verdict: str
    binary: bytes | None
    json: bytes | None
    error: str


def ask(command: list[str], vectors: Iterable[Vector]) -> dict[str, Answer]:
    """Run a runner on vectors, and return its answers by their ids.

    Raises:
        RuntimeError: It failed, or left a vector out.
    """
    asked = list(vectors)
    questions = "".join(
        json.dumps(
            {
                "id": vector.id,
                "event": vector.event,
                "payload": base64.b64encode(vector.payload).decode(),
            }
        )
        + "\n"
        for vector in asked
    )
    done = subprocess.run(
        command, input=questions.encode(), capture_output=True, timeout=_RUN_SECONDS, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command} failed: {done.stderr.decode(errors='replace')[-2000:]}")
    answers = {}
    for line in done.stdout.splitlines():
        result = json.loads(line)
        answers[result["id"]] = Answer(
            result["verdict"], _bytes(result, "binary"), _bytes(result, "json"),
            result.get("error", ""),
        )  # fmt: skip
    left_out = [vector.id for vector in asked if vector.id not in answers]
    if left_out or len(answers) > len(asked):
        raise RuntimeError(f"{command} left out {left_out}, or answered what nobody asked")
    return answers


def given(name: str, command: str) -> Runner:
    """Make a runner of a shell command, such as one for another language."""
    return Runner(name, name, lambda: ["sh", "-c", command])


def _bytes(result: dict[str, Any], key: str) -> bytes | None:
    text = result.get(key)
    return None if text is None else base64.b64decode(text)


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise MissingError(f"{name} is not on PATH")
    return path


def _run(command: list[str], folder: Path, **env: str) -> str:
    """Run a build step; return what it said when it failed."""
    done = subprocess.run(
        command, cwd=folder, env=os.environ | env, capture_output=True, text=True,
        timeout=_BUILD_SECONDS, check=False,
    )  # fmt: skip
    return (done.stdout + done.stderr) if done.returncode else ""


def _must(command: list[str], folder: Path, **env: str) -> None:
    problem = _run(command, folder, **env)
    if problem:
        raise RuntimeError(f"{command} failed in {folder}:\n{problem}")


def _go(output: str, module: str, *sources: Path) -> Path:
    """Build a Go program in the module whose dependencies it has."""
    program = BUILD / output
    command = [_program("go"), "build", "-o", str(program), *map(str, sources or (Path(),))]
    problem = _run(command, TOP / module)
    # The only thing that this project does not hold and may not get.
    if "github.com/markwinter/ingenium@" in problem:
        raise MissingError(REFUSED, allowed_on_ci=True)
    if problem:
        raise RuntimeError(problem)
    return program


def _structs(form: str) -> list[str]:
    return [str(_go("go-structs", "tests/golden/go")), "conformance", form]


def _go_runner(name: str, module: str) -> list[str]:
    sources = (HERE / "runners" / "go" / f"{part}.go" for part in ("protocol", name))
    return [str(_go(f"go-{name}", module, *sources))]


def _typescript() -> list[str]:
    """Build within a copy of the library, whose lock file and codec it has."""
    npm, node = _program("npm"), _program("node")
    folder = BUILD / "typescript"
    left_out = shutil.ignore_patterns("node_modules", "dist")
    shutil.copytree(TOP / "typescript", folder, ignore=left_out, dirs_exist_ok=True)
    shutil.copy(HERE / "runners" / "typescript" / "conformance.ts", folder / "src")
    _must([npm, "ci", "--silent", "--ignore-scripts"], folder)
    _must([npm, "run", "build"], folder)
    return [node, str(folder / "dist" / "conformance.js")]


def _java() -> list[str]:
    """Build against the example's jar, which has the library and everything else in it."""
    javac, java, maven = _program("javac"), _program("java"), _program("mvn")
    example = TOP / "examples" / "java"
    _must([maven, "-q", "-B", "package"], example)
    jar = example / "rsi" / "target" / "rsi.jar"
    classes = BUILD / "java"
    source = HERE / "runners" / "java" / "Conformance.java"
    _must([javac, "-cp", str(jar), "-d", str(classes), str(source)], HERE)
    return [java, "-cp", f"{jar}{os.pathsep}{classes}", "Conformance"]


def _rust() -> list[str]:
    """Build apart from the library, whose NATS client asks for more of the same libraries."""
    target = BUILD / "rust"
    folder = HERE / "runners" / "rust"
    _must([_program("cargo"), "build", "-q", "--locked"], folder, CARGO_TARGET_DIR=str(target))
    return [str(target / "debug" / "conformance")]


def _python(name: str) -> list[str]:
    return [sys.executable, str(HERE / "runners" / "python" / "conformance_runner.py"), name]


_OF_STRUCTS = ("DataEvent", "SignalEvent", "OrderEvent", "ExecutionEvent")

RUNNERS = {
    runner.name: runner
    for runner in (
        Runner("python", "Python, SDK", lambda: _python("sdk"), exact=True),
        Runner("python-protobuf", "Python, google.protobuf", lambda: _python("protobuf")),
        Runner(
            "go-documented", "Go, documented structs", lambda: _structs("documented"),
            _OF_STRUCTS, exact=True,
        ),
        Runner(
            "go-later", "Go, later structs", lambda: _structs("later"),
            _OF_STRUCTS, no_presence=True,
        ),
        Runner(
            "go-original", "Go, original library",
            lambda: _go_runner("original", "examples/go/original"),
            _OF_STRUCTS, no_presence=True, same_as="go-later",
        ),
        Runner("go-protojson", "Go, protojson", lambda: _go_runner("protojson", "go")),
        Runner("typescript", "TypeScript, protobuf-es", _typescript),
        Runner("java", "Java, JsonFormat", _java),
        Runner("rust", "Rust, prost-reflect", _rust),
    )
}  # fmt: skip
"""All runners by their names, in the order of the matrix."""

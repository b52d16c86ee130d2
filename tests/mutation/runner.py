"""Runs the tests that reach a mutant, each mutant in a process of its own."""

from __future__ import annotations

import gc
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType

import pytest
from mutation.mutants import PACKAGE, Mutant
from mutation.reach import ChangingFinder, ReachRecorder

Reach = dict[str, tuple[float, list[int]]]
"""For each test its seconds and the numbers of the blocks that it reaches."""

_FOUND, _SURVIVED = 0, 3
_MEMORY_LIMIT = 4 << 30


@dataclass(frozen=True)
class Plan:
    """A mutant and the tests to run on it, in their order.

    Attributes:
        mutant: The change.
        tests: Node ids of pytest.
        seconds: How long these tests took together without a change.
        in_function: Whether the code of a function is all that is changed.
    """

    mutant: Mutant
    tests: list[str]
    seconds: float
    in_function: bool


@dataclass(frozen=True)
class Outcome:
    """What the tests said of a mutant: by which test it was found, or ``hangs``, or neither."""

    plan: Plan
    found_by: str = ""
    hangs: bool = False


class _Repeatable:
    """Makes hypothesis try the same examples in each run, and none to shrink a failure."""

    def pytest_collection(self) -> None:
        # Not earlier: pytest wants to see it imported.
        from hypothesis import Phase, settings

        phases = (Phase.explicit, Phase.generate)
        settings.register_profile(
            "mutation", derandomize=True, database=None, deadline=None, phases=phases
        )
        settings.load_profile("mutation")


class _FirstFailure(_Repeatable):
    """Holds the node id of the first test that fails."""

    failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


class MapTests(_Repeatable):
    """A pytest plugin that notes the duration of each test and the blocks that it reaches.

    Args:
        recorder: What marks the package's modules.
        save: Called with what is known after each file of tests.
    """

    def __init__(self, recorder: ReachRecorder, save: Callable[[str, Reach], None]) -> None:
        self._recorder = recorder
        self._save = save
        self._tests: Reach = {}
        self._failed = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        self._recorder.passed.clear()
        self._failed = False
        began = time.perf_counter()
        result = yield
        if not self._failed:
            seconds = round(time.perf_counter() - began, 4)
            self._tests[item.nodeid] = (seconds, sorted(self._recorder.passed))
        file = file_of(item.nodeid)
        if nextitem is None or file_of(nextitem.nodeid) != file:
            self._save(file, self._tests)
            self._tests = {}
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed = self._failed or not report.passed


def file_of(test: str) -> str:
    """The file of a test's node id."""
    return test.partition("::")[0]


class MutateTests(_FirstFailure):
    """A pytest plugin that, once all tests are collected, forks for each mutant.

    A change within a function is put into the functions that the child has inherited, which takes
    no time; any other needs a new interpreter that imports the changed module.
    """

    def __init__(self, plans: list[Plan], jobs: int, tell: Callable[[Outcome], None]) -> None:
        self._plans = plans
        self._jobs = jobs
        self._tell = tell

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        running: dict[int, tuple[Plan, Path, float]] = {}
        waiting = self._plans[::-1]
        while waiting or running:
            while waiting and len(running) < self._jobs:
                plan = waiting.pop()
                folder = Path(tempfile.mkdtemp(prefix="mutant-"))
                pid = os.fork()
                if not pid:
                    self._child(plan, folder, items)
                limit = (15 if plan.in_function else 30) + 6 * plan.seconds
                running[pid] = (plan, folder, time.monotonic() + limit)
            time.sleep(0.01)
            for pid, (plan, folder, until) in list(running.items()):
                ended, status = os.waitpid(pid, os.WNOHANG)
                hangs = not ended and time.monotonic() > until
                if not ended and not hangs:
                    continue
                with suppress(ProcessLookupError):
                    # Its servers and its other processes too: the child leads a group of its own.
                    os.killpg(pid, signal.SIGKILL)
                if hangs:
                    os.waitpid(pid, 0)
                del running[pid]
                self._tell(_outcome(plan, folder, hangs, status))
                shutil.rmtree(folder, ignore_errors=True)
        return True

    def _child(self, plan: Plan, folder: Path, items: dict[str, pytest.Item]) -> None:
        try:
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            if not plan.in_function or not patch_functions(plan.mutant):
                task = {"mutant": vars(plan.mutant), "tests": plan.tests, "folder": str(folder)}
                (folder / "task").write_text(json.dumps(task))
                os.execv(sys.executable, [sys.executable, "-m", "mutation", "--one", str(folder)])
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, _MEMORY_LIMIT))
            tests = [items[name] for name in plan.tests if name in items]
            tests[0].config._tmp_path_factory._basetemp = folder / "tmp"  # type: ignore[attr-defined]
            (folder / "tmp").mkdir()
            for test, following in zip(tests, [*tests[1:], None], strict=True):
                test.config.hook.pytest_runtest_protocol(item=test, nextitem=following)
                if self.failed:
                    (folder / "found").write_text(self.failed)
                    test.session._setupstate.teardown_exact(None)
                    os._exit(_FOUND)
            os._exit(_SURVIVED)
        except BaseException as error:  # noqa: BLE001 - a broken change is a found one
            (folder / "found").write_text(f"{type(error).__name__}: {error}")
            os._exit(_FOUND)


def _outcome(plan: Plan, folder: Path, hangs: bool, status: int) -> Outcome:
    found = folder / "found"
    if hangs or found.exists():
        return Outcome(plan, found.read_text() if found.exists() else "", hangs)
    survived = os.waitstatus_to_exitcode(status) == _SURVIVED
    return Outcome(plan, "" if survived else "the end of the process")


def patch_functions(mutant: Mutant) -> bool:
    """Put a change into the functions of this process; False when that cannot be done."""
    path = str(PACKAGE / mutant.file)
    source = (PACKAGE / mutant.file).read_bytes()
    old = _codes(compile(source, path, "exec"))
    new = _codes(compile(mutant.apply(source), path, "exec"))
    changed = {key: code for key, code in new.items() if old.get(key) != code}
    patched = 0
    for function in gc.get_objects():
        if type(function) is not FunctionType or function.__code__.co_filename != path:
            continue
        code = changed.get(_key(function.__code__))
        if code is None:
            continue
        if code.co_freevars != function.__code__.co_freevars:
            return False
        function.__code__ = code
        patched += 1
    return patched > 0


def _key(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _codes(code: CodeType) -> dict[tuple[str, int], CodeType]:
    found = {}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found[_key(constant)] = constant
            found.update(_codes(constant))
    return found


def run_one(folder: Path) -> int:
    """Import one changed module in this new process, and run its tests up to the first failure."""
    task = json.loads((folder / "task").read_text())
    mutant = Mutant(**task["mutant"])
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, _MEMORY_LIMIT))

    def change(file: str, source: bytes) -> CodeType | None:
        if file != mutant.file:
            return None
        return compile(mutant.apply(source), str(PACKAGE / file), "exec")

    sys.meta_path.insert(0, ChangingFinder(change))
    plugin = _FirstFailure()
    try:
        module = mutant.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        __import__(f"ingenium.{module}")
    except Exception as error:  # noqa: BLE001 - a broken change is a found one
        (folder / "found").write_text(f"import: {type(error).__name__}: {error}")
        return _FOUND
    status = pytest.main(
        ["-x", *pytest_options(), f"--basetemp={folder / 'tmp'}", *task["tests"]], [plugin]
    )
    # A test that has another id since it was mapped finds nothing.
    if status == pytest.ExitCode.OK or (
        status == pytest.ExitCode.USAGE_ERROR and not plugin.failed
    ):
        return _SURVIVED
    (folder / "found").write_text(plugin.failed or f"pytest: {status!r}")
    return _FOUND


def pytest_options() -> list[str]:
    return [
        "-q",
        "-s",
        "--no-header",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
        "--import-mode=importlib",
        "-m",
        "not minutes",
    ]

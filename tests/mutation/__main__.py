"""``make mutate``: changes the code, one place at a time, and counts what the tests find."""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mutation.mutants import PACKAGE, Mutant, find_mutants
from mutation.reach import ChangingFinder, ReachRecorder, digest
from mutation.runner import (
    MapTests,
    MutateTests,
    Outcome,
    Plan,
    Reach,
    file_of,
    pytest_options,
    run_one,
)

TESTS = Path(__file__).parents[1]
JUDGED = Path(__file__).with_name("judged.toml")
CACHE = TESTS.parent / ".ingenium" / "mutation"
MONEY_PATH = "trading risk exchange brokers components runtime state"
# The rest of the simulation plants its own bugs, or runs its worlds in other processes.
FOLDERS = ["unit", "contract", "simulation/test_seeds.py"]


def _reach_file(cache: Path) -> Path:
    common = [TESTS / "conftest.py", TESTS / "support", *sorted(TESTS.glob("simulation/[!t]*.py"))]
    return cache / f"reach-{digest(PACKAGE, *common)}.json"


def _map_tests(folders: list[str], folder: Path) -> None:
    """Note, for each test, its duration and the blocks that it reaches, where a file is new."""
    cache = _reach_file(folder)
    known: dict[str, Any] = json.loads(cache.read_text()) if cache.exists() else {}
    digests = _test_files(folders)
    new = [name for name, now in digests.items() if known.get(name, {}).get("digest") != now]
    if not new:
        return
    print(f"mapping the tests of {len(new)} files", flush=True)
    cache.parent.mkdir(parents=True, exist_ok=True)

    def save(file: str, tests: Reach) -> None:
        known[file] = {"digest": digests[file], "tests": tests}
        cache.write_text(json.dumps(known))

    recorder = ReachRecorder()
    sys.meta_path.insert(0, ChangingFinder(recorder.compile))
    pytest.main([*pytest_options(), *new], [MapTests(recorder, save)])


def _test_files(folders: list[str]) -> dict[str, str]:
    roots = [TESTS / folder for folder in folders]
    files = [
        file
        for root in roots
        for file in ([root] if root.is_file() else sorted(root.rglob("test_*.py")))
    ]
    return {path.relative_to(TESTS).as_posix(): digest(path) for path in files}


class _Reach:
    """What the map says: the tests for a mutant, in the order in which to run them."""

    def __init__(self, folders: list[str], budget_seconds: float, cache: Path) -> None:
        known = json.loads(_reach_file(cache).read_text())
        self.digests = _test_files(folders)
        self._tests = {
            test: (seconds, set(blocks))
            for name in self.digests
            for test, (seconds, blocks) in known.get(name, {"tests": {}})["tests"].items()
        }
        self._blocks = ReachRecorder().block_of
        self._budget = budget_seconds

    def plan(self, mutant: Mutant) -> Plan:
        block = self._blocks.get((mutant.file, mutant.line))
        if block is None:
            wanted = {number for (file, _), number in self._blocks.items() if file == mutant.file}
        else:
            wanted = {block}
        home = f"unit/{mutant.file.partition('/')[0]}/"
        # Those of the room are likelier to find it, but its slow ones come after others' fast ones.
        reaching = [
            (seconds if test.startswith(home) else 3 * seconds, seconds, test)
            for test, (seconds, blocks) in self._tests.items()
            if not wanted.isdisjoint(blocks) or (not wanted and test.startswith(home))
        ]
        tests: list[str] = []
        total = 0.0
        for _, seconds, test in sorted(reaching):
            if tests and total + seconds > self._budget:
                break
            tests.append(test)
            total += seconds
        return Plan(mutant, tests, total, block is not None)


def _judged() -> dict[tuple[str, str, str], str]:
    """The reasons why a change does not matter, by file and by the line before and after."""
    entries = tomllib.loads(JUDGED.read_text()).get("judged", [])
    return {(each["file"], each["before"], each["after"]): each["reason"] for each in entries}


def _table(rooms: list[str], states: dict[Mutant, str]) -> None:
    print("\n| Room | Mutants | Found | Judged | Missed | Found of those that matter |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for room in [*rooms, "all"]:
        counts = Counter(
            state for mutant, state in states.items() if room == "all" or _is_in(mutant, room)
        )
        matter = counts["found"] + counts["missed"]
        share = f"{100 * counts['found'] / matter:.1f} %" if matter else "-"
        print(
            f"| {room} | {counts.total()} | {counts['found']} | {counts['judged']} | "
            f"{counts['missed']} | {share} |"
        )


def _is_in(mutant: Mutant, room: str) -> bool:
    return mutant.file.startswith(f"{room}/") or mutant.file == f"{room}.py"


def _mutate(arguments: argparse.Namespace) -> int:
    rooms = arguments.rooms.replace(",", " ").split()
    every = find_mutants(rooms)
    chosen = random.Random(arguments.seed).sample(every, min(arguments.n, len(every)))
    print(f"{len(chosen)} of {len(every)} possible changes, seed {arguments.seed}", flush=True)
    judged, reach = _judged(), _Reach(arguments.tests, arguments.budget, arguments.cache)
    cache = arguments.cache / f"found-{digest(PACKAGE)}.json"
    found: dict[str, list[str]] = json.loads(cache.read_text()) if cache.exists() else {}
    states: dict[Mutant, str] = {}
    plans = []
    for mutant in chosen:
        name, digest_then = found.get(repr(mutant), ["", ""])
        plan = reach.plan(mutant)
        if (mutant.file, *mutant.lines()) in judged:
            states[mutant] = "judged"
        elif name and reach.digests.get(file_of(name)) == digest_then:
            states[mutant] = "found"
        elif plan.tests:
            plans.append(plan)
        else:
            states[mutant] = "missed"
            _show(plan, "no test reaches it")
    began = time.monotonic()

    def tell(outcome: Outcome) -> None:
        mutant = outcome.plan.mutant
        is_found = bool(outcome.found_by) or outcome.hangs
        states[mutant] = "found" if is_found else "missed"
        if outcome.found_by:
            name = outcome.found_by
            found[repr(mutant)] = [name, reach.digests.get(file_of(name), "")]
            cache.write_text(json.dumps(found))
        by = outcome.found_by or "it hangs"
        what = f"found: {by}" if is_found else "MISSED"
        seconds = time.monotonic() - began
        place = f"{mutant.file}:{mutant.line}"
        print(f"{len(states):4} of {len(chosen)} {seconds:6.1f} s  {place}  {what}", flush=True)
        if not is_found:
            _show(outcome.plan, f"{len(outcome.plan.tests)} tests, {outcome.plan.seconds:.1f} s")

    files = sorted({file_of(test) for plan in plans for test in plan.tests})
    if plans:
        pytest.main([*pytest_options(), *files], [MutateTests(plans, arguments.jobs, tell)])
    if len(states) < len(chosen):
        print("the run has ended before its end", file=sys.stderr)
        return 2
    _table(rooms, states)
    counts = Counter(states.values())
    matter = counts["found"] + counts["missed"]
    return int(100 * counts["found"] < arguments.min * matter)


def _show(plan: Plan, tests: str) -> None:
    before, after = plan.mutant.lines()
    print(f"  python/ingenium/{plan.mutant.file}:{plan.mutant.line}  ({tests})")
    print(f"    - {before}\n    + {after}", flush=True)
    for test in plan.tests[:3]:
        print(f"      {test}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="mutation", description=__doc__)
    parser.add_argument("--rooms", default=MONEY_PATH, help="folders or modules of the package")
    parser.add_argument("-n", type=int, default=50, help="how many changes to try")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--min", type=float, default=90, help="percent that must be found")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once")
    parser.add_argument("--budget", type=float, default=15, help="seconds of tests per change")
    parser.add_argument("--tests", nargs="+", default=FOLDERS)
    parser.add_argument("--cache", type=Path, default=CACHE, help="a folder for what is measured")
    parser.add_argument("--map", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.cache = arguments.cache.absolute()
    os.chdir(TESTS)
    if arguments.one:
        return run_one(arguments.one)
    if arguments.map:
        _map_tests(arguments.tests, arguments.cache)
        return 0
    # In a process of its own, since its modules carry marks.
    options = ["--map", "--cache", str(arguments.cache), "--tests", *arguments.tests]
    subprocess.run([sys.executable, "-m", "mutation", *options], check=True)
    return _mutate(arguments)


if __name__ == "__main__":
    sys.exit(main())

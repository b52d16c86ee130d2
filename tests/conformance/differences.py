"""The differences between runtimes that are known, and the runs that are held against them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from conformance.comparing import OUTCOMES, difference
from conformance.roster import RUNNERS, Runner, ask
from conformance.vector import Vector

__all__ = ["Difference", "Found", "Report", "hold", "known", "of_runner"]

FILE = Path(__file__).parent / "differences.toml"

Found = dict[str, tuple[str, str]]
"""By a vector's id, the outcome of a difference and what it is about in words."""


@dataclass(frozen=True)
class Difference:
    """A way in which runtimes differ from the vectors.

    Attributes:
        what: What happens, a sentence.
        why: Why, and what to do about it.
        outcomes: How each runner differs, by its name.
        vectors: Ids of the vectors on which it does.
        sometimes: Whether it depends on the machine, so that it need not occur.
    """

    what: str
    why: str
    outcomes: dict[str, str]
    vectors: tuple[str, ...]
    sometimes: bool


@dataclass(frozen=True)
class Report:
    """What a runner made of all vectors.

    Attributes:
        ok: Ids of the vectors on which it does not differ.
        documented: Ids of those on which it differs as the table says.
        unknown: Ids of those whose event it does not have.
        unexplained: Differences that the table does not have.
        gone: Ids of vectors on which the table has a difference that does not occur.
    """

    ok: tuple[str, ...]
    documented: tuple[str, ...]
    unknown: tuple[str, ...]
    unexplained: Found
    gone: tuple[str, ...]


def known(vectors: Iterable[Vector], file: Path = FILE) -> list[Difference]:
    """Read the table of differences.

    Raises:
        ValueError: An entry names a runner or vectors that do not exist, or two entries say
            something of the same runner and vector.
    """
    ids = [vector.id for vector in vectors]
    found = []
    taken: set[tuple[str, str]] = set()
    for entry in tomllib.loads(file.read_text())["difference"]:
        what = entry["what"]
        outcomes = {runner: outcome for outcome in OUTCOMES for runner in entry.get(outcome, ())}
        extra = set(entry) - {"what", "why", "vectors", "sometimes", *OUTCOMES}
        if extra or not outcomes or not outcomes.keys() <= RUNNERS.keys():
            raise ValueError(f"{what!r} has unknown keys or runners, or no runner")
        matched: list[str] = []
        for pattern in entry["vectors"]:
            more = [one for one in ids if fnmatchcase(one, pattern) and one not in matched]
            if not more:
                raise ValueError(
                    f"{what!r}: {pattern!r} is no vector, or one that stands before it"
                )
            matched += more
        pairs = {(runner, one) for runner in outcomes for one in matched}
        if pairs & taken:
            raise ValueError(f"{what!r} says again what stands above it: {sorted(pairs & taken)}")
        taken |= pairs
        sometimes = entry.get("sometimes", False)
        found.append(Difference(what, entry["why"], outcomes, tuple(matched), sometimes))
    return found


def of_runner(runner: Runner, differences: Iterable[Difference]) -> dict[str, Difference]:
    """Return the differences of a runner by the ids of vectors."""
    name = runner.same_as or runner.name
    return {one: each for each in differences if name in each.outcomes for one in each.vectors}


def hold(
    runner: Runner, command: list[str], vectors: list[Vector], differences: Iterable[Difference]
) -> Report:
    """Ask a runner about vectors, and hold its answers against them and the known differences."""
    answers = ask(command, vectors)
    expected = of_runner(runner, differences)
    name = runner.same_as or runner.name
    ok: list[str] = []
    documented: list[str] = []
    unknown: list[str] = []
    gone: list[str] = []
    unexplained: Found = {}
    for vector in vectors:
        answer, listed = answers[vector.id], expected.get(vector.id)
        found = difference(runner, vector, answer)
        if answer.verdict == "unknown" and vector.event not in runner.events:
            unknown.append(vector.id)
            gone += [vector.id] if listed else []
        elif found is None:
            (ok if listed is None or listed.sometimes else gone).append(vector.id)
        elif listed and listed.outcomes[name] == found[0]:
            documented.append(vector.id)
        else:
            unexplained[vector.id] = found
    return Report(tuple(ok), tuple(documented), tuple(unknown), unexplained, tuple(gone))

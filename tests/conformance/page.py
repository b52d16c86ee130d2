"""The parts of docs/conformance.md that follow from the kit, and the files that are generated."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from conformance.differences import Difference, known
from conformance.matrix import expected, table
from conformance.roster import RUNNERS
from conformance.source.catalogue import GROUPS, VERSION, all_vectors
from conformance.vector import Vector, digest, dump

__all__ = ["MANIFEST", "PAGE", "VECTORS", "generated"]

HERE = Path(__file__).parent
VECTORS = HERE / "vectors.json"
PROTOJSON = ("python-protobuf", "go-protojson", "typescript", "java", "rust")
MANIFEST = HERE / "manifest.sha256"
PAGE = HERE.parents[1] / "docs" / "conformance.md"


def generated() -> dict[Path, str]:
    """Return what each generated file has to hold."""
    vectors = all_vectors()
    differences = known(vectors)
    words = {group: text for group, (text, _) in GROUPS.items()}
    page = PAGE.read_text()
    for name, text in [
        ("classes", _classes(vectors)),
        ("matrix", _markdown(table(GROUPS, expected(vectors, differences)))),
        ("differences", _differences(differences)),
    ]:
        page = _replace(page, name, text)
    return {
        VECTORS: dump(VERSION, words, vectors),
        MANIFEST: "".join(f"{digest(vector)}  {vector.id}\n" for vector in vectors),
        PAGE: page,
    }


def _replace(page: str, name: str, text: str) -> str:
    """Put a text between its two marks in the page."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, _, rest = page.partition(start)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{PAGE} has no marks of {name}")
    return f"{before}{start}{text}{end}{after}"


def _classes(vectors: Iterable[Vector]) -> str:
    all_of_them = list(vectors)
    rows = [["Class", "Vectors", "About"]]
    for group, (text, _) in GROUPS.items():
        count = sum(vector.group == group for vector in all_of_them)
        rows.append([f"`{group}`", str(count), text])
    return _markdown(rows)


def _differences(differences: Iterable[Difference]) -> str:
    rows = [["What happens", "Where", "Why", "Vectors"]]
    for each in differences:
        outcomes: dict[str, list[str]] = {}
        for runner, outcome in each.outcomes.items():
            outcomes.setdefault(outcome, []).append(runner)
        where = "; ".join(f"{_titles(who)} **{outcome}**" for outcome, who in outcomes.items())
        count = f", {len(each.vectors)} in all" if len(each.vectors) > 1 else ""
        often = " Not on every machine." if each.sometimes else ""
        rows.append([each.what, where, each.why + often, f"`{each.vectors[0]}`{count}"])
    return _markdown(rows)


def _titles(runners: list[str]) -> str:
    """Name runners, in short where they are all that have ProtoJSON."""
    others = [name for name in runners if name not in PROTOJSON]
    shown = [RUNNERS[name].title for name in others]
    if len(runners) - len(others) == len(PROTOJSON):
        return " · ".join(["every ProtoJSON", *shown])
    return " · ".join(RUNNERS[name].title for name in runners)


def _markdown(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * len(rows[0]))
    return "".join(f"{line}\n" for line in lines)

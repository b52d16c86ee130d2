"""docs/glossary.md has at most 40 terms, and the class or module that each row names exists."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "glossary.md"
MOST = 40
ROWS = re.findall(
    r"^\| ([^|`]+) \| ([^|]+) \| `([\w.]+)` \|$", PAGE.read_text("utf-8"), re.MULTILINE
)


def test_glossary_has_at_most_40_terms_and_each_once() -> None:
    terms = [term for term, _, _ in ROWS]
    assert 20 < len(terms) <= MOST
    assert len(terms) == len(set(terms))
    tables = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    headings = [line for line in tables if line.startswith(("| Term", "| ---"))]
    assert len(terms) == len(tables) - len(headings)


@pytest.mark.parametrize("name", [name for _, _, name in ROWS])
def test_class_or_module_of_a_term_exists(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    if attribute[0].isupper():
        assert isinstance(getattr(import_module(module), attribute), type)
    else:
        import_module(name)

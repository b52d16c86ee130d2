"""``make help`` lists each target of the Makefile once, with needs, duration and purpose."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

TOP = Path(__file__).parents[3]


def _help() -> list[str]:
    done = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    heading, *lines = done.stdout.splitlines()
    assert heading.split()[0] == "target"
    return lines


def test_help_lists_each_target_once() -> None:
    makefile = (TOP / "Makefile").read_text("utf-8")
    [phony] = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    rules = [
        name
        for names in re.findall(r"^([a-z][a-z -]*):(?!=)", makefile, re.MULTILINE)
        for name in names.split()
    ]
    listed = [line.split()[0] for line in _help()]
    assert sorted(listed) == sorted(phony.split()) == sorted(rules)


def test_help_says_needs_duration_and_purpose_of_each_target() -> None:
    for line in _help():
        target, needs, takes, purpose = re.split(r" {2,}", line, maxsplit=3)
        assert all((target, needs, purpose)), line
        assert re.fullmatch(r"\d+ (s|min)", takes), line


def test_pages_name_only_targets_that_exist() -> None:
    listed = {line.split()[0] for line in _help()}
    pages = [TOP / "README.md", TOP / "CONTRIBUTING.md", *(TOP / "docs").rglob("*.md")]
    named = {
        (page.name, target)
        for page in pages
        for target in re.findall(r"(?:`|\$ )make ([a-z][a-z-]*)", page.read_text("utf-8"))
    }
    assert named
    assert {(page, target) for page, target in named if target not in listed} == set()

"""The index has each page once, and paths, links and commands that pages name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ingenium.cli.main import application

TOP = Path(__file__).parents[3]
DOCS = TOP / "docs"
PAGES = sorted([TOP / "README.md", TOP / "CONTRIBUTING.md", *DOCS.rglob("*.md")])
GROUPS = ("Start", "Operate", "Understand")
# Pages that build a project of the reader's own name the files of that project.
OWN_FILES = {
    "docs/your-own-event.md": {"proto/acme/v1/news.proto", "read.py"},
    "docs/your-own-repository.md": {"proto/acme/v1/review.proto"},
}
PLACEHOLDERS = {"file.py", "app.py", "package.json", "tsconfig.json"}


def _index() -> dict[str, list[str]]:
    text = (DOCS / "README.md").read_text("utf-8")
    found = {}
    for group in GROUPS:
        section = text.split(f"\n## {group}\n")[1].split("\n## ")[0]
        found[group] = re.findall(r"^\| \[[^]]+\]\(([\w-]+\.md)\) \|", section, re.MULTILINE)
    return found


def test_index_has_each_page_once() -> None:
    listed = [page for pages in _index().values() for page in pages]
    assert sorted(listed) == sorted(
        path.name for path in DOCS.glob("*.md") if path.name != "README.md"
    )


def test_readme_links_pages_in_the_groups_of_the_index() -> None:
    text = (TOP / "README.md").read_text("utf-8")
    for group, pages in _index().items():
        [paragraph] = re.findall(rf"^\*\*{group}\*\*: (.*?)\n\n", text, re.MULTILINE | re.DOTALL)
        assert re.findall(r"\(docs/([\w-]+\.md)\)", paragraph) == pages


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(TOP).as_posix())
def test_links_and_their_anchors_exist(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            assert anchor in _anchors(target), link


def _files() -> set[str]:
    left_out = {".venv", ".git", "node_modules", "target", ".ingenium"}
    return {
        path.relative_to(TOP).as_posix()
        for path in TOP.rglob("*")
        if not left_out & set(path.relative_to(TOP).parts)
    }


def test_source_files_that_pages_name_exist() -> None:
    files = _files()
    missing = []
    for page in PAGES:
        name = page.relative_to(TOP).as_posix()
        for path in re.findall(
            r"`([\w./-]+\.(?:py|toml|sh|proto|go|java|rs|ts))`", page.read_text()
        ):
            known = path in PLACEHOLDERS | OWN_FILES.get(name, set())
            if not known and not any(file == path or file.endswith(f"/{path}") for file in files):
                missing.append((name, path))
    assert missing == []


def test_command_line_page_has_each_command() -> None:
    text = (DOCS / "command-line.md").read_text("utf-8")
    table = "".join(re.findall(r"^\| (`.*?) \| ", text, re.MULTILINE))
    commands = [command.callback.__name__ for command in application.registered_commands]
    assert len(commands) > 10
    missing = [name for name in commands if not re.search(rf"`(?:ingenium )?{name}\b", table)]
    assert missing == []

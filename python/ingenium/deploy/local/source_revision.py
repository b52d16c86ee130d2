"""The git commit that a file was checked out at, read without git."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["source_revision"]

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)


def source_revision(file: str) -> str:
    """Return the commit of the repository that holds a file.

    Args:
        file: Path of the file; its folder is the working directory when empty.

    Returns:
        The commit in hexadecimal; empty outside of a repository, and where it cannot be read.
        Changes that are not committed do not show.
    """
    try:
        folder = Path(file).resolve().parent if file else Path.cwd()
        for each in (folder, *folder.parents):
            if (each / ".git").exists():
                return _head_of(each / ".git")
    except (OSError, ValueError):
        pass
    return ""


def _head_of(git: Path) -> str:
    if git.is_file():
        # A worktree or a submodule: the file names the folder.
        git = git.parent / git.read_text().removeprefix("gitdir:").strip()
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref:"):
        return _checked(head)
    name = head.removeprefix("ref:").strip()
    common = git / "commondir"
    shared = git / common.read_text().strip() if common.is_file() else git
    for folder in (git, shared):
        if (folder / name).is_file():
            return _checked((folder / name).read_text().strip())
    for line in (shared / "packed-refs").read_text().splitlines():
        commit, _, packed = line.partition(" ")
        if packed == name:
            return _checked(commit)
    return ""


def _checked(text: str) -> str:
    return text if _COMMIT.fullmatch(text) else ""

"""The commit of a file, as git itself says it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ingenium.deploy.local.source_revision import source_revision


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "apps").mkdir(parents=True)
    (folder / "apps" / "app.py").write_text("")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


def test_revision_of_a_branch_packed_refs_a_worktree_and_a_detached_head(repository: Path) -> None:
    file = str(repository / "apps" / "app.py")
    head = git(repository, "rev-parse", "HEAD")
    assert len(head) == 40
    assert source_revision(file) == head
    git(repository, "pack-refs", "--all")
    assert source_revision(file) == head
    git(repository, "worktree", "add", "-q", "-b", "other", "../other")
    assert source_revision(str(repository.parent / "other" / "apps" / "app.py")) == head
    git(repository, "checkout", "-q", "--detach")
    assert source_revision(file) == head


def test_no_revision_outside_of_a_repository(tmp_path: Path) -> None:
    assert source_revision(str(tmp_path / "app.py")) == ""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref: refs/heads/../../secret\n")
    assert source_revision(str(tmp_path / "app.py")) == ""

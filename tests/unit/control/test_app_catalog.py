"""What the control plane says of the place of a recording."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tools import need_module

from ingenium.config import Settings
from ingenium.control.app_catalog import AppCatalog
from ingenium.errors import RecorderError


def catalog(folder: Path, database: str | None = None) -> AppCatalog:
    settings = Settings.from_environment({"INGENIUM_DATA_DIR": str(folder)})
    return AppCatalog(settings, database=database)


def test_place_of_a_recording_has_no_password(tmp_path: Path) -> None:
    need_module("psycopg")
    place = catalog(tmp_path, "postgresql://ann:s3cret@db.local:5433/prices").recording_place("a")
    assert place == "postgresql://ann:***@db.local:5433/prices"


def test_app_without_a_recording_is_named_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(RecorderError, match=r"app 'a' has no recording at .*: start it with"):
        catalog(tmp_path).recording_place("a")
    assert not list(tmp_path.rglob("*.db"))

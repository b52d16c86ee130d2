"""App files that cannot be loaded: each error names file, line and cure, whatever the encoding."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ingenium import backtest
from ingenium.components import load_app
from ingenium.errors import ConfigError

TEXT = "from ingenium import App\nname = 'Müller'\n"


@pytest.mark.parametrize(
    ("data", "line", "says"),
    [
        (TEXT.encode("utf-16"), 1, "in UTF-16: save it as UTF-8"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), 1, "in UTF-16: save it as UTF-8"),
        (TEXT.encode("utf-16-le"), 1, "seems to be in UTF-16"),
        (TEXT.encode("utf-16-be"), 1, "seems to be in UTF-16"),
        (TEXT.encode("utf-32"), 1, "in UTF-32: save it as UTF-8"),
        (TEXT.encode("latin-1"), 2, "byte 0xfc is not utf-8: .*# coding: latin-1"),
        (b"x = 1\n\n\n" + TEXT.encode("cp1252"), 5, "byte 0xfc is not utf-8"),
        (b"#!/usr/bin/python\n# coding: no-such\n", 2, "unknown encoding: no-such"),
        (b"# coding: no-such\n", 1, "unknown encoding: no-such"),
        (b"x = 1\ny = 2\nz = '\0'\n", 3, "null byte"),
        (b"x = 1\ny = (\n", 2, "syntax error"),
        (b"def f():\nreturn 1\n", 2, "syntax error: expected an indented block"),
        (b"if 1:\n\tx = 1\n        y = 2\n", 3, "syntax error: inconsistent use of tabs"),
        (b"\nfrom ingenium import Nothing\n", 2, "ImportError: cannot import name 'Nothing'"),
        (b"\nimport no_such_module\n", 2, "ModuleNotFoundError"),
        (b"def f():\n    return {}['key']\n\nf()\n", 2, "KeyError: 'key'"),
        (b"import sys\nsys.exit('bye')\n", 2, r"it exits \(SystemExit: bye\)"),
    ],
)
def test_app_file_that_cannot_be_loaded_is_named_with_its_line(
    tmp_path: Path, data: bytes, line: int, says: str
) -> None:
    path = tmp_path / "my_app.py"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=says) as caught:
        backtest.run(str(path))
    assert f"my_app.py, line {line}:" in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252"])
def test_app_file_that_names_its_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "my_app.py"
    head = "" if encoding.startswith("utf") else f"# -*- coding: {encoding} -*-\n"
    path.write_bytes((head + TEXT).encode(encoding))
    with pytest.raises(ConfigError, match="holds no app"):
        load_app(str(path))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\n\nraise ValueError('odd')\n", r"line 2: ValueError: odd \(my_parts.py, line 3\)"),
        (b"x = 1\ny = = 2\n", r"my_parts\.py, line 2: syntax error"),
        (
            "x = 1\n".encode("utf-16"),
            "my_app.py, line 2: a file that it imports is not valid UTF-8",
        ),
    ],
)
def test_app_file_that_imports_a_broken_file_names_both(
    tmp_path: Path, data: bytes, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    (tmp_path / "my_parts.py").write_bytes(data)
    (tmp_path / "my_app.py").write_text("\nimport my_parts\n")
    with pytest.raises(ConfigError, match=says):
        load_app(str(tmp_path / "my_app.py"))


def test_app_file_that_is_a_folder_or_gone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(ConfigError, match=r"folder\.py is a folder: name a file in it"):
        load_app(str(tmp_path / "folder.py"))
    with pytest.raises(ConfigError, match="is a folder: name a file in it"):
        load_app(str(tmp_path))
    with pytest.raises(ConfigError, match=r"no such app file: .*gone\.py"):
        load_app(str(tmp_path / "gone.py"))
    (tmp_path / "empty.py").touch()
    with pytest.raises(ConfigError, match=r"empty\.py holds no app"):
        load_app(str(tmp_path / "empty.py"))


def test_app_file_without_permission_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "my_app.py"
    path.write_text(TEXT)
    path.chmod(0)
    if os.access(path, os.R_OK):
        # Root reads everything, so what the system would say to others is said here.
        def refuse(*_: object) -> bytes:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

        monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ConfigError, match=r"my_app\.py cannot be read: Permission denied"):
        load_app(str(path))


def test_error_that_cannot_be_written_as_text_is_named_by_its_type(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text(
        "class Odd(Exception):\n    def __str__(self):\n        raise RuntimeError\nraise Odd\n"
    )
    with pytest.raises(
        ConfigError, match=r"app.py, line \d: Odd: its text cannot be rendered: Runtime"
    ):
        load_app(str(file))

"""``import ingenium`` stays light: libraries that not everybody needs load on first use."""

from __future__ import annotations

import json
import subprocess
import sys

import ingenium

HEAVY = ("grpc", "nats", "opentelemetry", "rich", "sqlalchemy", "starlette", "typer", "uvicorn")


def test_import_loads_no_heavy_library() -> None:
    code = "import ingenium, json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50
    )
    loaded = set(json.loads(done.stdout))
    assert not loaded & set(HEAVY)


def test_public_names_are_all_there_sorted_and_documented() -> None:
    names = [name for name in ingenium.__all__ if not name.startswith("_")]
    assert names == sorted(names)
    for name in names:
        assert getattr(ingenium, name).__doc__, name


def test_every_error_class_is_public() -> None:
    from ingenium import errors

    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.IngeniumError)
    }
    assert classes <= set(ingenium.__all__)


def test_errors_survive_pickling() -> None:
    import pickle

    from ingenium import BusPermissionError, DecodeError, EventTooLargeError

    for error in (
        DecodeError("OrderEvent", "Side", "expected a string, found 1"),
        BusPermissionError("not allowed", "ingenium.x"),
        EventTooLargeError("too large", 2, 1),
    ):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))

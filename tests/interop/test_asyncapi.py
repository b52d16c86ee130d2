"""The AsyncAPI document against the official parser, with real Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.tools import need_program

TOP = Path(__file__).parents[2]
ORDERS = "executorReceivesOrders"


def _document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((TOP / "docs" / "asyncapi.yaml").read_text("utf-8"))
    return loaded


def _spoiled() -> dict[str, dict[str, Any]]:
    """Return documents with one thing wrong in each."""
    action, reference, binding = (_document() for _ in range(3))
    action["operations"][ORDERS]["action"] = "publish"
    reference["channels"]["orders"]["messages"]["OrderEvent"]["$ref"] = "#/components/messages/No"
    binding["operations"][ORDERS]["bindings"]["nats"]["queue"] = 5
    return {"action": action, "reference": reference, "binding": binding}


@pytest.mark.timeout(300)
def test_document_is_valid_asyncapi_without_a_warning_and_a_spoiled_one_is_found_out(
    tmp_path: Path,
) -> None:
    npm, node = need_program("npm"), need_program("node")
    for name in ("package.json", "package-lock.json", ".npmrc", "validate.mjs"):
        shutil.copy(TOP / "tests" / "interop" / "asyncapi" / name, tmp_path)
    subprocess.run(
        [npm, "ci", "--silent", "--ignore-scripts"], cwd=tmp_path, check=True, timeout=200
    )
    document = _document()
    spoiled = _spoiled()
    for name, each in {"good": document, **spoiled}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(each))
    done = subprocess.run(
        [node, "validate.mjs", "good.json", *(f"{name}.json" for name in spoiled)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    good, *answers = (json.loads(line) for line in done.stdout.splitlines())
    assert good == {
        "problems": [],
        "found": {
            "version": "3.0.0",
            "channels": len(document["channels"]),
            "operations": len(document["operations"]),
            "messages": len(document["components"]["messages"]),
        },
    }
    found = dict(zip(spoiled, answers, strict=True))
    assert {name: bool(answer["problems"]) for name, answer in found.items()} == dict.fromkeys(
        spoiled, True
    )

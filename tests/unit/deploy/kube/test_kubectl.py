"""What kubectl is asked, and what is made of its answers; a script stands in for the program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingenium.deploy.kube.kubectl import Kubectl, PodState
from ingenium.errors import DeployError, MissingDependencyError

# As kubectl 1.32 prints it for an API server of 1.37.
CONFLICT = """\
error: Apply failed with 1 conflict: conflict with "kubectl-label" using apps/v1: .metadata.labels.a
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
"""


def stand_in(folder: Path, *, out: str = "", err: str = "", code: int = 0) -> Kubectl:
    (folder / "out").write_text(out)
    (folder / "err").write_text(err)
    program = folder / "kubectl"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {folder}/asked\n[ "$2" = get ] || cat > {folder}/given\n'
        f"cat {folder}/out\ncat {folder}/err >&2\nexit {code}\n"
    )
    program.chmod(0o755)
    return Kubectl("live", program=str(program))


def test_conflict_is_told_with_field_manager_and_cure(tmp_path: Path) -> None:
    kubectl = stand_in(tmp_path, err=CONFLICT, code=1)
    with pytest.raises(DeployError) as raised:
        kubectl.apply("a: 1\n")
    assert str(raised.value) == (
        'kubectl: error: Apply failed with 1 conflict: conflict with "kubectl-label" using '
        "apps/v1: .metadata.labels.a; --force takes these fields over"
    )


def test_apply_is_server_side_as_one_manager(tmp_path: Path) -> None:
    assert stand_in(tmp_path, out="a applied\nb applied\n").apply("a: 1\n") == [
        "a applied",
        "b applied",
    ]
    assert (tmp_path / "asked").read_text() == (
        "apply --server-side --field-manager ingenium -f -\n"
    )
    assert (tmp_path / "given").read_text() == "a: 1\n"


def test_difference_is_no_failure_and_a_refusal_is(tmp_path: Path) -> None:
    assert stand_in(tmp_path, out="+ a\n", code=1).diff("a: 1\n") == "+ a\n"
    with pytest.raises(DeployError, match="no server"):
        stand_in(tmp_path, err="no server\n", code=1).diff("a: 1\n")


def test_pod_that_waits_has_the_reason_as_its_state(tmp_path: Path) -> None:
    pod = {
        "metadata": {"name": "live-paper-0", "labels": {"app.kubernetes.io/component": "paper"}},
        "spec": {"nodeName": "n1"},
        "status": {
            "phase": "Pending",
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [
                {"restartCount": 2, "state": {"waiting": {"reason": "ImagePullBackOff"}}}
            ],
        },
    }
    kubectl = stand_in(tmp_path, out=json.dumps({"items": [pod]}))
    assert kubectl.pods("live") == [
        PodState("paper", "live-paper-0", "ImagePullBackOff", is_ready=False, restarts=2, node="n1")
    ]


def test_missing_program_is_named() -> None:
    with pytest.raises(MissingDependencyError, match="no-kubectl is not on PATH"):
        Kubectl("live", program="no-kubectl")

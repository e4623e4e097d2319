"""The stand-in for a nucleus holds to what AWS's were seen to do, so that it can refuse."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from waiting import eventually

from devcloud.nucleus import Failed, Nucleus

CONTENT = b"a package"


def recipe(name: str, lifecycle: dict[str, Any], version: str = "1.0.0", **more: Any) -> Any:
    platform = {"os": "linux", "runtime": "*", **more.pop("platform", {})}
    manifest = {"Platform": platform, "Lifecycle": lifecycle, **more}
    return {"ComponentName": name, "ComponentVersion": version, "Manifests": [manifest]}


def artifact(content: bytes) -> dict[str, Any]:
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    return {"Uri": "s3://b/model.bin", "Algorithm": "SHA-256", "Digest": digest}


@pytest.fixture
def nucleus(tmp_path: Path):
    with Nucleus(tmp_path, "box", lambda _: CONTENT) as made:
        yield made


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (recipe("n", {"run": "true"}, Artifacts=[artifact(b"other")]), "another digest"),
        (recipe("n", {"run": "echo ${HOME}"}), "no variable of a recipe"),
        (recipe("n", {"install": "true"}), "neither run nor startup"),
        (recipe("n", {"run": "true"}, platform={"architecture": "vax"}), "no manifest for this"),
        (
            recipe("n", {"install": {"Script": "sleep 60", "Timeout": "0.1"}, "run": "true"}),
            "is BROKEN",
        ),
    ],
    ids=["digest", "variable", "only an install", "platform", "install too long"],
)
def test_what_a_nucleus_refuses_fails_the_deployment_and_what_runs_goes_on(
    nucleus: Nucleus, given: Any, said: str
) -> None:
    runs = recipe("runs", {"run": "exec sleep 600"})
    nucleus.deploy([runs])
    pid = nucleus.running["runs"].pid

    with pytest.raises(Failed, match=said):
        nucleus.deploy([runs, given])

    assert nucleus.running["runs"].pid == pid
    assert "n" not in nucleus.running


def test_three_starts_in_an_hour_are_all_there_are(nucleus: Nucleus) -> None:
    nucleus.deploy([recipe("n", {"run": "sleep 0.2; exit 1"})])
    ended = nucleus.running["n"]

    eventually(lambda: ended.state == "BROKEN", "broken", 60)
    assert ended.starts == 3

    nucleus.deploy([recipe("n", {"run": "exec sleep 600"}, "1.0.1")])
    assert nucleus.states() == {"n": "RUNNING"}


def test_an_artifact_is_downloaded_once_and_goes_with_its_version(
    nucleus: Nucleus, tmp_path: Path
) -> None:
    def deploy(version: str) -> int:
        run = {"run": "exec sleep 600"}
        nucleus.deploy([recipe("n", run, version, Artifacts=[artifact(CONTENT)])])
        return nucleus.fetched_bytes["n"]

    assert [deploy("1.0.0"), deploy("1.0.0"), deploy("1.0.1")] == [9, 9, 9]
    kept = sorted(p.name for p in (tmp_path / "packages" / "artifacts" / "n").iterdir())
    assert kept == ["1.0.1"]

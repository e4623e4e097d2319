"""What the last deployment of a site was synthesized to: enough to remove its stacks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from contract.nesting import json_of
from fanfold.common.project import state_dir
from infra.planning import Site


def assembly_of(site: Site) -> Path:
    """Where the CDK writes it."""
    return (state_dir() / "cdk.out" / site.name).absolute()


def holds_stacks(assembly: Path, stacks: Iterable[str], account: str, region: str) -> bool:
    """Whether the cloud assembly has all of them, by the CDK's names, for that very place."""
    try:
        artifacts = json_of((assembly / "manifest.json").read_text(encoding="utf-8"))["artifacts"]
        places = [artifacts[stack]["environment"] for stack in stacks]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return all(place == f"aws://{account}/{region}" for place in places)

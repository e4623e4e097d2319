"""A site's stacks are removed without a synthesis where the last one names them, for that place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fanfold.cloud.synthesized import holds_stacks

PLACE = ("123456789012", "us-east-1")
STACKS = ("hall", "hall-Cloud")


def assembly(folder: Path, *stacks: str, place: str = "aws://123456789012/us-east-1") -> Path:
    artifacts = {s: {"type": "aws:cloudformation:stack", "environment": place} for s in stacks}
    (folder / "manifest.json").write_text(json.dumps({"version": "55", "artifacts": artifacts}))
    return folder


def test_an_assembly_with_both_stacks_of_the_place_will_do(tmp_path: Path) -> None:
    assert holds_stacks(assembly(tmp_path, *STACKS, "other"), STACKS, *PLACE)


def test_one_of_another_account_or_region_will_not(tmp_path: Path) -> None:
    made = assembly(tmp_path, *STACKS, place="aws://123456789012/eu-west-1")

    assert not holds_stacks(made, STACKS, *PLACE)


def test_one_without_a_stack_will_not(tmp_path: Path) -> None:
    assert not holds_stacks(assembly(tmp_path, "hall"), STACKS, *PLACE)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"artifacts": null}'])
def test_what_is_no_assembly_will_not(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)

    assert not holds_stacks(tmp_path, STACKS, *PLACE)

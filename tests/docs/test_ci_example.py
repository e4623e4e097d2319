"""The workflow of docs/ci is one for GitHub, and what it types are verbs and options of ours."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest
import yaml
from checkout import PROJECT

from fanfold.reference.commands import commands

WORKFLOW = PROJECT / "docs" / "ci" / "fanfold.yml"
COMMANDS = dict(commands())


def typed() -> list[str]:
    """Every `fanfold …` of the workflow's shell lines."""
    jobs = yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]
    scripts = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    found = re.findall(r"\bfanfold [a-z][^|>)\n]*", "\n".join(scripts))
    return [each for each in found if not each.startswith("fanfold @")]


def test_github_would_take_it() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows",
         str(WORKFLOW)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("line", typed())
def test_its_commands_exist_with_their_options(line: str) -> None:
    words = shlex.split(line)[1:]
    verb = next(v for v in (" ".join(words[:2]), words[0]) if v in COMMANDS)
    known = {opt for parameter in COMMANDS[verb].params for opt in parameter.opts}

    assert {word for word in words if word.startswith("-")} <= known


def test_the_guide_says_every_job() -> None:
    guide = (PROJECT / "docs" / "guides" / "ci.md").read_text("utf-8")
    jobs = yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]

    assert re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE) == list(jobs)
    for job in jobs.values():
        assert job["timeout-minutes"] <= 60

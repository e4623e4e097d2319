"""Arrays for Kubernetes and AWS Batch: valid by others' schemas; their tasks, run here."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from replay_kit import package, whole_of

from replay.array import mark
from replay.render.batch import template
from replay.render.kubernetes import indexed_job
from replay.render.manifests import Array, write_manifests


def test_the_array_of_kubernetes_is_valid_by_kubernetes_own_schema():
    validate = pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate")
    job = indexed_job(Array("replay-1", "s3://b/r", 250_000, "img", gpus=1, parallel=500))

    validate.validate(job, "1.33", strict=True)
    assert job["spec"]["completions"] == 100_000
    assert "100000" in job["spec"]["template"]["spec"]["containers"][0]["command"]


ODD = Array("replay-1", "/nfs/o'ut $(X)/r", 3, "img", hooks="acme_hooks")


def test_an_array_is_told_the_hooks_and_a_place_with_any_characters():
    [container] = indexed_job(ODD)["spec"]["template"]["spec"]["containers"]
    of_batch = template(ODD)["Resources"]["Replay"]["Properties"]["ContainerProperties"]
    words = shlex.split(of_batch["Command"][2])

    assert container["command"][3] == "/nfs/o'ut $$(X)/r"
    assert container["env"][-1] == {"name": "FANFOLD_HOOKS", "value": "acme_hooks"}
    assert words[words.index("replay.array") + 1] == ODD.url
    assert of_batch["Environment"] == [{"Name": "FANFOLD_HOOKS", "Value": "acme_hooks"}]


@pytest.mark.slow
def test_the_template_for_aws_batch_is_taken_by_an_app_of_the_cdk(tmp_path):
    from aws_cdk import App, Stack
    from aws_cdk.cloudformation_include import CfnInclude

    made = template(ODD)
    (tmp_path / "replay.json").write_text(json.dumps(made))
    # Its own validation is most of a synthesis (tests/infra/stacks/test_validation.py).
    app = App(analytics_reporting=False, builtin_cloud_formation_validation=False)
    CfnInclude(Stack(app, "replay"), "Array", template_file=str(tmp_path / "replay.json"))

    synthesized = app.synth().get_stack_by_name("replay").template

    assert synthesized["Resources"] == made["Resources"]


def test_the_array_of_aws_batch_is_valid_by_cfn_lint(tmp_path):
    made = template(Array("replay-1", "s3://b/r", 25_000, "img"))
    (tmp_path / "replay.json").write_text(json.dumps(made))
    lint = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), tmp_path / "replay.json"],
        text=True, capture_output=True, check=False,
    )  # fmt: skip

    assert (lint.returncode, lint.stdout) == (0, "")
    assert (
        "--of 10000"
        in made["Resources"]["Replay"]["Properties"]["ContainerProperties"]["Command"][2]
    )


def test_tasks_of_an_array_run_every_shard_and_quarantine_one_with_three_marks(tmp_path):
    whole = whole_of(tmp_path)
    url = write_manifests(whole.replay, whole.job)
    guilty = next(iter(whole.plan))
    for _ in range(3):
        assert mark(whole.store, whole.replay.model, guilty)
    for index in range(2):
        task = [sys.executable, "-m", "replay.array", url, "--index", str(index), "--of", "2"]
        subprocess.run(task, check=True, timeout=90)

    assert whole.finish()["failed"] == {"killed_workers": 5}
    assert [r["seq"] for r in whole.records()["cam1"]] == list(range(1, 21))
    # Nobody cleans up: who removes the quarantined shard has it tried three times again.
    assert [path for path in (tmp_path / "out").rglob("attempts/*") if path.is_file()] == []


@pytest.mark.parametrize(
    "module", ["replay.array", pytest.param("replay.shard", id="as-in-older-templates")]
)
def test_a_task_of_an_array_refuses_a_package_that_was_replaced_since(module, tmp_path):
    whole = whole_of(tmp_path)
    url = write_manifests(whole.replay, whole.job)
    package(tmp_path / "m", "simulated", wait_ms=1)
    task = [sys.executable, "-m", module, url, "--index", "0", "--of", "1"]

    done = subprocess.run(task, check=False, timeout=90, capture_output=True, text=True)

    assert done.returncode == 1
    assert f"was {whole.replay.model} when this was rendered: render it again" in done.stderr
    assert list((tmp_path / "out").rglob("shards/*")) == []

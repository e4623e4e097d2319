"""Synthesis for tests: one Node process for all, silent about its age.

Tests import the CDK where they use it: each process of tests collects all of them, and that import
starts Node and is a quarter of what collecting computes.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from checkout import PROJECT
from group_documents import gpu_site

os.environ.setdefault("NODE_NO_WARNINGS", "1")
os.environ.setdefault(
    "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION",
    subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    .stdout.lstrip("v")
    .partition(".")[0],
)

Synthesize = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from infra.stacks.assets import Assets

    return Assets.build(tmp_path_factory.mktemp("assets"))


@pytest.fixture(scope="session")
def assemble(assets: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Group document → its two stacks as `cdk deploy` reads them: the cloud's, the deployment's.

    `validate`: let the CDK check its templates, which is nine tenths of a synthesis; its own tests
    do (test_validation.py).
    """
    import aws_cdk as cdk

    from infra.stacks import SiteStacks

    def run(
        document: Mapping[str, Any], *, validate: bool = False, **options: Any
    ) -> tuple[Any, Any]:
        app = cdk.App(
            outdir=str(tmp_path_factory.mktemp("out")),
            analytics_reporting=False,
            builtin_cloud_formation_validation=validate,
        )
        stacks = SiteStacks(app, document=document, assets=assets, **options)
        assembly = app.synth()
        cloud, deployment = (
            assembly.get_stack_by_name(stack.stack_name)
            for stack in (stacks.cloud, stacks.deployment)
        )
        return cloud, deployment

    return run


@pytest.fixture(scope="session")
def synthesize(assemble: Callable[..., Any]) -> Synthesize:
    """Group document → the templates of both its stacks, as one."""

    def run(document: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        cloud, deployment = assemble(document, **options)
        return _merged(cloud.template, deployment.template)

    return run


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Sections of both; what stands in both, such as the version of the bootstrap, is the same."""
    merged = {**one, **other}
    for section in one.keys() & other.keys():
        if isinstance(one[section], Mapping):
            merged[section] = {**one[section], **other[section]}
    assert not one["Resources"].keys() & other["Resources"].keys()
    return merged


@pytest.fixture(scope="session")
def template(synthesize: Synthesize) -> dict[str, Any]:
    return synthesize(gpu_site())


@pytest.fixture
def project() -> Path:
    return PROJECT

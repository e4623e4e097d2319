"""Running the CDK command line: the pinned one, with the environment that it needs."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from devcloud.auth.keys import ACCOUNT
from devcloud.process import REGION, DevCloud, DevCloudError
from infra.where import INSTALLED, PROJECT

IMPORT = "CDK_IMPORT_EXISTING_RESOURCES"
CLI = Path("node_modules/aws-cdk/bin/cdk")
# package.json pins 2.1148.1: `latest` is 3.0.0, published by accident and older in what it reads.
REMEDY_CLI = "Run `npm ci` in the project folder (npm's `latest` of aws-cdk does not work)."
REMEDY_NODE = "Install Node.js 20 or newer (https://nodejs.org) and put `node` on the PATH."


def cdk(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    project: Path = PROJECT,
    capture: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run `cdk ARGUMENTS` in the project folder; `env` is added to this process's.

    Never raises for the CLI's own failure: look at `returncode`. Raises DevCloudError
    (exit code 3) when node or the pinned CLI is missing.
    """
    return subprocess.run(
        command(arguments, project),
        cwd=project,
        env=environment(env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=capture,
        text=True,
        check=False,
    )


def command(arguments: Sequence[str], project: Path = PROJECT) -> list[str]:
    """The command line, or DevCloudError saying what is missing."""
    node = shutil.which("node")
    if node is None:
        raise DevCloudError(f"the CDK needs `node`, which is not on the PATH. {REMEDY_NODE}", 3)
    script = next((each for each in cli_places(project) if each.is_file()), None)
    if script is None:
        where = " or ".join(map(str, cli_places(project)))
        remedy = f"Run `npm install aws-cdk@{pinned()}` here." if INSTALLED else REMEDY_CLI
        raise DevCloudError(f"the CDK command line is not at {where}. {remedy}", 3)
    return [node, str(script), *arguments]


def cli_places(project: Path = PROJECT) -> list[Path]:
    """Where the pinned command line may be: in the project, or where a wheel's user works."""
    return [project / CLI, *([Path.cwd() / CLI] if INSTALLED else [])]


def pinned() -> str:
    """The version of package.json: npm's `latest` is older in what it reads."""
    package = json.loads((PROJECT / "package.json").read_text(encoding="utf-8"))
    return str(package["devDependencies"]["aws-cdk"])


def environment(added: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, quietened, without telemetry, with `added` on top.

    A bucket that an earlier stack left behind is taken back by the next one
    (`--import-existing-resources`; the CLI reads its options from `CDK_…` as well).
    For a development cloud the CDK does not check its own templates: that is three quarters of
    all that a deployment computes, and this project's tests have done it. CDK_VALIDATION=true does.
    """
    quiet = {
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": _node_major(),
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        "NODE_NO_WARNINGS": "1",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "1",
        IMPORT: os.environ.get(IMPORT, "true"),
        "CI": os.environ.get("CI", "true"),
    }
    if "AWS_ENDPOINT_URL" in added:
        quiet["CDK_VALIDATION"] = os.environ.get("CDK_VALIDATION", "false")
    if INSTALLED:  # cdk.json looks for the environment of a checkout
        quiet["CDK_APP"] = f"{shlex.quote(sys.executable)} app.py"
    return {**os.environ, **quiet, **added}


def bootstrap(cloud: DevCloud, account: str = ACCOUNT, region: str = REGION) -> None:
    """`cdk bootstrap` the development cloud; a second time changes nothing.

    Raises DevCloudError with the CLI's last lines when it fails.
    """
    with tempfile.TemporaryDirectory() as empty:  # without a cdk.json it needs no app
        done = subprocess.run(
            [*command(["bootstrap"]), f"aws://{account}/{region}", "--no-notices"],
            cwd=empty,
            env=environment(cloud.env()),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-5:])
        raise DevCloudError(f"cdk bootstrap of the development cloud failed:\n{tail}")


def _node_major() -> str:
    """jsii wants the major version that it shall be silent about."""
    node = shutil.which("node")
    if node is None:
        return "0"
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"v(\d+)", answer)
    return found.group(1) if found else "0"

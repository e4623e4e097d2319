"""Node, the CDK, the sandbox, the cloud."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from devcloud.cdk_cli import cli_places, pinned
from fanfold.checks.outcome import Outcome, Subject, error, ok, skipped, warning
from fanfold.cloud.development import running_cloud
from infra.where import INSTALLED

NODE_AT_LEAST = 20


def node(_: Subject) -> Outcome:
    """The CDK is a Node.js program."""
    path = shutil.which("node")
    if path is None:
        return error(
            "`node` is not on the PATH: deploying needs it", "Install Node.js 20 or newer."
        )
    version = _first_line([path, "--version"])
    found = re.match(r"v(\d+)", version)
    if not found or int(found.group(1)) < NODE_AT_LEAST:
        return error(f"node {version} is too old", "Install Node.js 20 or newer.")
    return ok(f"node {version}")


def cdk_cli(_: Subject) -> Outcome:
    """The pinned command line: npm's `latest` cannot read what our library writes."""
    wanted = pinned()
    fix = f"Run `npm install aws-cdk@{wanted}` here." if INSTALLED else "Run `npm ci`."
    installed = next((each for each in cli_places() if each.is_file()), None)
    if installed is None:
        return error("the CDK command line is not installed", fix)
    version = json.loads((installed.parents[1] / "package.json").read_text())["version"]
    if version != wanted:
        return error(f"CDK command line {version}, pinned is {wanted}", fix)
    return ok(f"CDK command line {version}")


def sandbox(subject: Subject) -> Outcome:
    """Functions that ask for a container run in bubblewrap."""
    wanted = subject.plan is not None and subject.plan.isolation == "container"
    path = shutil.which("bwrap")
    fix = "Install bubblewrap, or run with --isolation none."
    if path is None:
        return (error if wanted else warning)("bubblewrap is not installed", fix)
    works = subprocess.run(
        [path, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "true"],
        capture_output=True,
        check=False,
    )
    if works.returncode:
        return (error if wanted else warning)("bubblewrap cannot create a sandbox here", fix)
    return ok("bubblewrap can create a sandbox")


def cloud(_: Subject) -> Outcome:
    """Where results and deployments go."""
    running = running_cloud()
    address = running.url if running else os.environ.get("AWS_ENDPOINT_URL")
    if not address:
        return skipped("cloud: no development cloud is running and AWS_ENDPOINT_URL is not set")
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=3)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except OSError as problem:
        return error(f"cloud {address} does not answer: {problem}", "Start it, or check the link.")
    finally:
        connection.close()
    return ok(f"cloud {address} answers")


def completion(_: Subject) -> Outcome:
    """Convenience only."""
    home = Path.home()
    rc = [home / ".bashrc", home / ".zshrc", home / ".config/fish/completions/fanfold.fish"]
    if any(p.is_file() and "fanfold" in p.read_text(errors="replace") for p in rc):
        return ok("shell completion is installed")
    return skipped("shell completion: `fanfold --install-completion` installs it")


def _first_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip().partition("\n")[0]


TOOLS = (node, cdk_cli, sandbox, cloud, completion)

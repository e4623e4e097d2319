"""Running the pinned CDK so that a person sees its progress, and a failure as one sentence."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from devcloud import DevCloudError
from devcloud.cdk_cli import command, environment
from fanfold.cloud.access import START, Access
from fanfold.common.errors import FAILED, MISSING, REFUSED, UserError
from fanfold.common.extras import require
from fanfold.common.project import PROJECT
from infra.gate import Gate

_KEPT_LINES = 400
_DEPLOYMENT = re.compile(r"deployment (?P<id>\S+) failed on the core: (?P<reason>.+)")
_RESOURCE = re.compile(r"(?P<id>\S+) \((?P<type>(AWS|Custom)::\S+)\)?:? (?P<reason>.+)")
_STOPS = ("❌", "Resource handler returned", "UPDATE_FAILED", "CREATE_FAILED", "DELETE_FAILED")


def require_tools() -> None:
    """Raises UserError (exit code 3) where node or the pinned CDK is missing."""
    require("deploy", "deploying")
    try:
        command(["--version"])
    except DevCloudError as error:
        raise UserError(str(error), error.exit_code) from error


def run_cdk(
    arguments: Sequence[str],
    access: Access,
    site: str,
    passed_to: TextIO | None = None,
    first: Callable[[], None] | None = None,
) -> str:
    """Run `cdk ARGUMENTS`, pass its lines on (to stdout), return them.

    `first` is called while the CDK starts and synthesizes; when it raises, nothing has been
    changed. Raises UserError when the CDK fails.
    """
    out = passed_to or sys.stdout
    require_tools()
    lines: list[str] = []
    with (
        Gate() as gate,
        subprocess.Popen(
            command(arguments),
            cwd=PROJECT,
            env=environment((access.cloud.env() if access.cloud else {}) | gate.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        if first:
            _let_pass(first, gate, process)
        gate.open()
        for line in process.stdout or ():
            out.write(line)
            out.flush()
            lines = [*lines[-_KEPT_LINES:], line.rstrip()]
    if process.returncode:
        raise failure(arguments[0], site, process.returncode, lines)
    return "\n".join(lines)


def _let_pass(first: Callable[[], None], gate: Gate, process: subprocess.Popen[str]) -> None:
    try:
        first()
    except BaseException:
        gate.shut()
        process.terminate()
        raise


def failure(verb: str, site: str, code: int, lines: Sequence[str]) -> UserError:
    """The CDK's own words as one sentence: cause, what it left, the way on."""
    said = "\n".join(lines)
    if found := _DEPLOYMENT.search(said):
        return UserError(
            f"{site}: the core could not run the new group: {found['reason'].strip()} "
            "Nothing of it is left: CloudFormation has restored the previous group. Fix "
            "the cause "
            f"and run `fanfold {verb} {site}` again.",
            FAILED,
        )
    if "has the environment been bootstrapped" in said.lower():
        return UserError(f"{site}: the CDK is not bootstrapped here. Once: {START}", MISSING)
    if "UPDATE_ROLLBACK_FAILED" in said:
        return UserError(
            f"{site}: the update failed, and the rollback failed as well. Finish it: npx cdk "
            f"rollback {site}; then deploy again.",
            REFUSED,
        )
    if "ExpiredToken" in said:
        return UserError(
            f"{site}: the AWS credentials expired on the way. Sign in again, then run `fanfold "
            f"{verb} {site}` again: it continues where it stopped.",
            REFUSED,
        )
    reason = next((line.strip() for line in lines if any(s in line for s in _STOPS)), "")
    again = {
        "deploy": f"The previous state is restored. `fanfold diff {site}` shows what is deployed.",
        "destroy": f"The next `fanfold destroy {site}` removes what is left; to see why it failed: "
        f"aws cloudformation describe-stack-events --stack-name {site}",
    }.get(verb, "")
    return UserError(
        f"cdk {verb} {site} ended with exit status {code}: {reason or said[-500:]} {again}", FAILED
    )

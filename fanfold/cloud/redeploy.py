"""Deploying a group version that exists already, with the code that it had.

A group names its functions by the alias `live`, which Greengrass resolves when it deploys.
So going back moves the aliases to the versions that were published when the former
deployment was made, and only then deploys; what cannot be finished is put back.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fanfold.cloud.access import Access, explained
from fanfold.cloud.deployed import Deployed, Deployment, Document
from fanfold.common import output
from fanfold.common.errors import FAILED, UserError

POLL_S = 1.0
SYSTEM = "arn:aws:lambda:::function:"
_LATEST = "$LATEST"


@dataclass(frozen=True)
class Move:
    """An alias and the versions that it leaves and takes."""

    function: str
    alias: str
    before: str
    after: str


def code_moves(access: Access, document: Document, at: str) -> list[Move]:
    """What brings the functions of a group back to the code of a time (ISO 8601)."""
    moves = []
    with explained(access, "functions"):
        for entry in document.get("Functions", []):
            if entry["FunctionArn"].startswith(SYSTEM):
                continue
            function, _, alias = entry["FunctionArn"].partition(":function:")[2].partition(":")
            move = _move(access.client("lambda"), function, alias, at)
            if move is not None:
                moves.append(move)
    return moves


def _move(client: Any, function: str, alias: str, at: str) -> Move | None:
    """None: the alias is there already, or is a version's own number."""
    if alias.isdigit():
        return None
    now = str(client.get_alias(FunctionName=function, Name=alias)["FunctionVersion"])
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    made = [v for page in pages for v in page["Versions"] if v["Version"] != _LATEST]
    then = [int(v["Version"]) for v in made if _time(v["LastModified"]) <= _time(at)]
    if not then or str(max(then)) == now:
        return None
    return Move(function, alias, now, str(max(then)))


def _time(text: str) -> datetime:
    """AWS writes milliseconds and moto nanoseconds, with `Z` or `+0000`."""
    head, _, rest = text.replace("Z", "+0000").partition(".")
    digits = rest.partition("+")[0][:6]
    return datetime.fromisoformat(f"{head.partition('+')[0]}.{digits or '0':0<6}+00:00")


def with_code(document: Document, access: Access, moves: Iterable[Move]) -> Document:
    """The document as it would be read after the moves: with the hashes of that code."""
    moved = {(move.function, move.alias): move for move in moves}
    lambdas: dict[str, Mapping[str, Any]] = {}
    for arn, entry in document["Lambdas"].items():
        function, _, alias = arn.partition(":function:")[2].partition(":")
        move = moved.get((function, alias))
        if move is not None:
            with explained(access, f"function {function}"):
                found = access.client("lambda").get_function_configuration(
                    FunctionName=function, Qualifier=move.after
                )
            entry = {**entry, "CodeSha256": found["CodeSha256"]}  # noqa: PLW2901
        lambdas[arn] = entry
    return {**document, "Lambdas": lambdas}


def redeploy(
    access: Access, deployed: Deployed, target: Deployment, moves: list[Move], wait_s: float
) -> str:
    """Deploy `target`'s group version; returns how that ended so far. Undoes a failed attempt."""
    group = f"group {deployed.name}"
    done: list[Move] = []
    try:
        with explained(access, group):
            for move in moves:
                _point(access, move, move.after)
                done.append(move)
            made = access.client("greengrass").create_deployment(
                GroupId=deployed.group_id,
                GroupVersionId=target.version,
                DeploymentId=target.id,
                DeploymentType="Redeployment",
            )
        return wait(access, deployed, made["DeploymentId"], wait_s)
    except BaseException:
        for move in reversed(done):
            _point(access, move, move.before)
        raise


def _point(access: Access, move: Move, version: str) -> None:
    access.client("lambda").update_alias(
        FunctionName=move.function, Name=move.alias, FunctionVersion=version
    )


def wait(access: Access, deployed: Deployed, deployment_id: str, wait_s: float) -> str:
    """`Success`, or what the deployment still is after `wait_s`. Raises UserError for Failure."""
    deadline = time.monotonic() + wait_s
    with output.err.status("waiting for the core"), explained(access, f"group {deployed.name}"):
        while True:
            answer = access.client("greengrass").get_deployment_status(
                GroupId=deployed.group_id, DeploymentId=deployment_id
            )
            status = str(answer["DeploymentStatus"])
            if status == "Failure":
                reason = answer.get("ErrorMessage") or "no reason given"
                raise UserError(
                    f"deployment {deployment_id} failed on the core: {reason}. The previous "
                    f"deployment still runs; see `fanfold status {deployed.name}` on the device.",
                    FAILED,
                )
            if status == "Success" or time.monotonic() > deadline:
                return status
            time.sleep(POLL_S)

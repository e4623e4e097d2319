"""The development cloud of this machine: whether it runs, and starting it."""

from __future__ import annotations

from pathlib import Path

from devcloud import DEFAULT_PORT, DevCloud, DevCloudError
from devcloud import find as find_cloud
from devcloud import start as start_cloud
from fanfold.common import output
from fanfold.common.errors import MISSING, UserError
from fanfold.common.extras import require
from fanfold.common.project import state_dir


def state() -> Path:
    return state_dir() / "devcloud"


def running_cloud() -> DevCloud | None:
    """The development cloud that runs here, if any."""
    return find_cloud(state())


def required() -> DevCloud:
    """The running development cloud, or a UserError that says how to start one."""
    cloud = running_cloud()
    if cloud is None:
        raise UserError(
            "no development cloud is running here. Start it: fanfold devcloud start", MISSING
        )
    return cloud


def start_here(port: int = DEFAULT_PORT) -> DevCloud:
    """Start (or find) the development cloud; DevCloudError becomes a UserError."""
    require("devcloud", "a development cloud")
    try:
        with output.working("starting the development cloud"):
            return start_cloud(port, state())
    except DevCloudError as error:
        raise UserError(str(error), error.exit_code) from error

"""What a core runs that was joined and has had no job yet: a group of nobody but itself."""

from __future__ import annotations

from typing import Any

from edgecore import deploy
from edgecore.core.options import Options
from edgecore.core.verdict.processes import WAITING
from edgecore.disk import layout
from edgecore.sources import LoadedGroup, SourceError
from edgecore.sources.errors import MISSING
from edgecore.sources.load import loaded
from edgecore.uplink.iot.identity import Identity, IdentityError, read_identity

BY_JOBS = "jobs"
"""``--group jobs``: the group comes by AWS IoT jobs (docs/spec/jobs.md)."""
SPOOL_BYTES = 1 << 30
"""As Fanfold's own groups have it (decision 0022): the spool is opened once, with this group."""


def last_or_waiting(options: Options) -> LoadedGroup:
    """The group that a job brought last, else the waiting one. Raises SourceError."""
    if options.join is None:
        raise SourceError(
            "--group jobs: needs --join FILE, which says whose jobs", exit_code=MISSING
        )
    last = deploy.current(options.state)
    if last is not None:
        return last
    try:
        identity = read_identity(options.join)
    except IdentityError as error:
        raise SourceError(f"{error}; no group has run here yet", exit_code=MISSING) from error
    document = waiting_group(identity)
    return loaded(document, state=options.state, folder=layout.stage(options.state, document))


def waiting_group(identity: Identity) -> dict[str, Any]:
    """A group document with this thing as its core, a durable spool and nothing else."""
    region = identity.region or "us-east-1"
    return {
        "Name": identity.site or identity.thing,
        "Id": WAITING,
        "Version": "0",
        "DeploymentId": WAITING,
        "Region": region,
        "Core": {
            "Id": "core",
            "ThingName": identity.thing,
            "ThingArn": f"arn:aws:iot:{region}:000000000000:thing/{identity.thing}",
            "CertificateArn": "",
        },
        "Functions": [
            {
                "Id": "cloud-spooler",
                "FunctionArn": "arn:aws:lambda:::function:GGCloudSpooler:1",
                "FunctionConfiguration": {
                    "Environment": {
                        "Variables": {
                            "GG_CONFIG_STORAGE_TYPE": "FileSystem",
                            "GG_CONFIG_MAX_SIZE_BYTES": str(SPOOL_BYTES),
                        }
                    }
                },
            }
        ],
    }

"""What the cloud knows of a site: its newest deployment, and each device's word of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from fanfold.cloud.access import reach
from fanfold.cloud.deployed import read_site_deployed
from fanfold.cloud.jobs import show_devices
from fanfold.common import output
from fanfold.common.boxes import boxes_named
from fanfold.common.errors import MISSING, UserError

if TYPE_CHECKING:
    from infra.planning import Site


def show_from_cloud(site: str, *, aws: bool, as_json: bool) -> bool:
    """False where the newest deployment failed. Raises UserError: nothing is deployed.

    Of a site with several cores: each box, in JSON one object a line.
    """
    told = [_show(box, aws=aws, as_json=as_json) for box in boxes_named(site)]
    return all(told)


def _show(settings: Site, *, aws: bool, as_json: bool) -> bool:
    deployed = read_site_deployed(reach(settings.region, aws=aws), settings)
    if deployed is None:
        raise UserError(
            f"{settings.name}: nothing is deployed. Deploy it: fanfold deploy {settings.name}",
            MISSING,
        )
    newest = deployed.deployments[0]
    devices = deployed.devices(newest) or ()
    if as_json:
        told = {"v": 1, "site": settings.name, "target": settings.target}
        said = [asdict(device) for device in devices]
        output.print_json({**told, "deployment": asdict(newest), "devices": said})
    else:
        output.out.print(
            f"{settings.name} ({settings.target}): deployment {newest.id} of {newest.created_at}, "
            f"{newest.status}{': ' + newest.error if newest.error else ''}",
            markup=False,
        )
        show_devices(devices)
    return newest.status != "Failure"

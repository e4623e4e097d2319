"""Two cameras and a broker for the length of a scenario."""

from __future__ import annotations

import asyncio

from mqtt_peer import DEADLINE_S, MEMBERS

CAM1, CAM2 = MEMBERS["cam1"].thing_arn, MEMBERS["cam2"].thing_arn


def run(scenario) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 3 * DEADLINE_S))

"""What a core that joined says of the parts that it has with AWS IoT."""

from __future__ import annotations

import asyncio
from pathlib import Path

from own_ca import OwnCa

from edgecore.core.options import Options
from edgecore.daemon.cloud_side import CloudSide


def test_a_part_that_ended_with_an_error_is_a_finding(tmp_path: Path) -> None:
    options = Options(group="jobs", state=tmp_path, join=OwnCa().join(tmp_path, "hall-core", 1))

    async def breaks() -> None:
        raise KeyError("what nobody thought of")

    async def scenario() -> list[str]:
        side = CloudSide(options)
        assert side.findings() == []
        side.spawn(breaks())
        for _ in range(3):
            await asyncio.sleep(0)
        found = side.findings()
        await side.close()
        return found

    [said] = asyncio.run(scenario())
    assert "a part of the core ended (KeyError('what nobody thought of'))" in said

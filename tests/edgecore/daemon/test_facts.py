"""`core.json` names a core that runs, also one that began on a full disk."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from small_disks import fill, small_disk_at

from edgecore.daemon.facts import Facts


def test_a_disk_without_a_byte_names_no_core_until_it_has_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(state: Path) -> None:
        (state / "core.json").write_text(json.dumps({"pid": "of a core that was killed"}))
        fill(state)
        facts = Facts(state)
        facts.show({"pid": 1})
        facts.show({"pid": 2})
        assert not (state / "core.json").exists()
        assert "free space there; tried again" in caplog.text
        (state / "other").unlink()

        async def until_there() -> None:
            while not (state / "core.json").exists():
                await asyncio.sleep(0.01)

        await asyncio.wait_for(until_there(), 60)
        assert json.loads((state / "core.json").read_text()) == {"pid": 2}
        await facts.close()
        assert not (state / "core.json").exists()

    with small_disk_at(tmp_path / "disk", 1) as disk:
        asyncio.run(story(disk))

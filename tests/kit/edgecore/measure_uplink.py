"""What the uplink does, in figures: `python tests/kit/edgecore/measure_uplink.py`.

Against mosquitto with mutual TLS on this machine: windows of 1, 5 and 20 at 50 ms of delay with
no pace, then the pace that AWS allows with small, middling and large messages, and CPU.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1]), "."]

from bad_line import BadLine  # noqa: E402
from mosquitto import Mosquitto  # noqa: E402
from own_ca import OwnCa  # noqa: E402
from uplinking import unpaced, uplink  # noqa: E402

from edgecore.uplink.iot.pacing import Pace  # noqa: E402
from edgecore.uplink.iot.window import Window  # noqa: E402

RESULTS_PER_LARGE_MESSAGE = 400


async def drain(folder: Path, join: Path, count: int, size: int, **parts) -> tuple[float, float]:
    """Messages a second and CPU ms a message, from a full spool to an empty one."""
    nobody = folder.parent / "nobody.join"  # does not exist: the spool fills first
    async with uplink(folder, nobody, quota=1 << 30, **parts) as up:
        await up.put(count, size=size)
        nobody.write_text(join.read_text())
        while up.link.session is None:
            await asyncio.sleep(0.001)
        began, cpu = time.monotonic(), time.process_time()
        while up.spooler.stats()["spooled"]:
            await asyncio.sleep(0.01)
        passed = time.monotonic() - began
        nobody.unlink()
        return count / passed, 1000 * (time.process_time() - cpu) / count


async def main() -> None:
    ca = OwnCa()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Mosquitto(folder, ca).start()
        try:
            await windows(folder, ca, broker)
            await paced(folder, ca, broker)
        finally:
            broker.stop()


async def windows(folder: Path, ca: OwnCa, broker: Mosquitto) -> None:
    line = await BadLine(broker.port, delay_s=0.025).start()
    join = ca.join(folder, "measured", line.port)
    for window in (1, 5, 20):
        rate, _ = await drain(
            folder / f"w{window}", join, 40 * window, 1000,
            window=Window(max_messages=window), pace=unpaced(),
        )  # fmt: skip
        print(f"50 ms of delay, window {window:2}: {rate:6.1f} messages/s")
    await line.stop()


async def paced(folder: Path, ca: OwnCa, broker: Mosquitto) -> None:
    join = ca.join(folder, "measured", broker.port)
    for count, size in ((1800, 1000), (1800, 5_000), (80, 120_000)):
        rate, cpu_ms = await drain(folder / f"p{size}", join, count, size, pace=Pace())
        print(
            f"paced, {size:6} bytes: {rate:6.1f} messages/s, {rate * size / 1024:6.1f} KB/s,"
            f" CPU {cpu_ms:.2f} ms a message"
        )
    print(f"(a message of 120 kB holds about {RESULTS_PER_LARGE_MESSAGE} results)")


if __name__ == "__main__":
    asyncio.run(main())

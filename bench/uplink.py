"""What the uplink over MQTT with a certificate does, against mosquitto with mutual TLS.

    python -m bench.uplink [--share 1.0]

Windows of 1, 5 and 20 messages at 50 ms of delay with no pace; then a full spool is drained at the
pace that AWS allows a connection (100 publishes and 512 KB a second) with small, middling and
large messages: rate, order, CPU, and what 72 hours at two results a second take at that rate.
`--share` makes all of it shorter. Delay and pace set the rates, so they say something on a busy
machine; of CPU the process's own is counted, which a busy machine makes larger.
Needs mosquitto, and a checkout: the broker and the slow line are the tests' own.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import ssl
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edgecore.uplink.iot.pacing import Pace
from edgecore.uplink.iot.window import Window

KIT = Path(__file__).parents[1] / "tests" / "kit"
RESULTS_PER_LARGE_MESSAGE = 400
RESULTS_OF_72_HOURS = 72 * 3600 * 2
LARGE_BYTES = 120_000
TOPIC = "t/results"
NUMBER_DIGITS = 12
"""The end of each payload, which is its number behind zeros; Python reads 4,300 digits at most."""


@dataclass(frozen=True)
class Drained:
    """From a full spool to an empty one."""

    messages_per_s: float
    cpu_ms: float
    in_order: bool


class Listener:
    """Reads what arrives at the broker, in a thread of this process: so CPU is an upper bound."""

    def __init__(self, folder: Path, ca: Any, port: int) -> None:
        self.numbers: list[int] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        context = ssl.create_default_context(cadata=ca.pem)
        context.load_cert_chain(*ca.leaf("listener").write(folder, "listener"))
        self._client.tls_set_context(context)
        self._client.on_connect = self._connected
        self._client.on_message = self._arrived
        self._client.connect("localhost", port)
        self._client.loop_start()

    def _connected(self, *_: Any) -> None:
        self._client.subscribe(TOPIC, qos=1)

    def _arrived(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        self.numbers.append(int(message.payload[-NUMBER_DIGITS:]))

    async def heard(self, count: int) -> bool:
        """Whether all came, each once, in order; waits for the last."""
        deadline = time.monotonic() + 30
        while len(self.numbers) < count and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        found, self.numbers = self.numbers, []
        return found == list(range(count))

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def _kit(name: str) -> Any:
    """A module of the tests' own parts."""
    return importlib.import_module(name)


async def drain(folder: Path, join: Path, count: int, size: int, **parts: Any) -> Drained:
    nobody = folder.parent / "nobody.join"  # does not exist: the spool fills first
    listener: Listener | None = parts.pop("listener", None)
    async with _kit("uplinking").uplink(folder, nobody, quota=1 << 30, **parts) as up:
        await up.put(count, TOPIC, size=size)
        nobody.write_text(join.read_text())
        while up.link.session is None:
            await asyncio.sleep(0.001)
        began, cpu = time.monotonic(), time.process_time()
        while up.spooler.stats()["spooled"]:
            await asyncio.sleep(0.01)
        passed, used = time.monotonic() - began, time.process_time() - cpu
        nobody.unlink()
    whole = await listener.heard(count) if listener else True
    return Drained(count / passed, 1000 * used / count, whole)


async def windows(folder: Path, ca: Any, port: int, share: float) -> None:
    line = await _kit("bad_line").BadLine(port, delay_s=0.025).start()
    join = ca.join(folder, "measured", line.port)
    for window in (1, 5, 20):
        count = max(window, round(40 * window * share))
        done = await drain(
            folder / f"w{window}", join, count, 1000,
            window=Window(max_messages=window), pace=_kit("uplinking").unpaced(),
        )  # fmt: skip
        print(f"50 ms of delay, window {window:2}: {done.messages_per_s:6.1f} messages/s")
    await line.stop()


async def paced(folder: Path, ca: Any, port: int, share: float) -> bool:
    join = ca.join(folder, "measured", port)
    listener, whole = Listener(folder, ca, port), True
    for whole_count, size in ((1800, 1000), (1800, 5_000), (80, LARGE_BYTES)):
        count = max(10, round(whole_count * share))
        done = await drain(folder / f"p{size}", join, count, size, pace=Pace(), listener=listener)
        held = RESULTS_PER_LARGE_MESSAGE if size == LARGE_BYTES else 1
        minutes = RESULTS_OF_72_HOURS / held / done.messages_per_s / 60
        whole = whole and done.in_order
        print(
            f"paced, {size:6} bytes: {done.messages_per_s:5.1f} messages/s, "
            f"{done.messages_per_s * size / 1024:5.1f} KB/s, "
            f"{'complete and in order' if done.in_order else 'NOT complete and in order'}; "
            f"CPU {done.cpu_ms:.2f} ms a message, {done.cpu_ms / held:.3f} ms a result; "
            f"72 hours: {minutes:.0f} minutes"
        )
    listener.stop()
    return whole


async def measure(share: float) -> bool:
    ca = _kit("own_ca").OwnCa()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = _kit("mosquitto").Mosquitto(folder, ca).start()
        try:
            await windows(folder, ca, broker.port, share)
            return await paced(folder, ca, broker.port, share)
        finally:
            broker.stop()


def main() -> int:
    """1 where a message was lost, doubled or out of order."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--share", type=float, default=1.0, help="of all messages")
    given = parser.parse_args()
    sys.path[:0] = [str(KIT), str(KIT / "edgecore")]
    return 0 if asyncio.run(measure(given.share)) else 1


if __name__ == "__main__":
    sys.exit(main())

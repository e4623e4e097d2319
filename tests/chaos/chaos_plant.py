"""A whole site on a real core, and a sender that persists; the cloud side read back."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chaos_core import CoreProcess, assert_gone
from chaos_local import LocalCloud
from chaos_oracle import Sent, Verdict, arrived, judge
from chaos_pictures import code_of, picture
from chaos_site import NAME, make_document, make_model

from fanfold.common.errors import UserError
from fanfold.localcore.running import RunningCore
from fanfold.sending.mqtt import Console
from fanfold.sending.sender import WINDOW, Sender

if TYPE_CHECKING:
    from chaos_certificate import CertificateSide
    from chaos_cloud import FarSide
    from chaos_jobs import JobsSide

#: The long form of a case: `make soak`.
SOAK = (pytest.mark.soak, pytest.mark.timeout(3600))
#: 25 images a second, of which some are under way half of the time with a model of IN_HAND_MS:
#: half of what two workers can do. Waiting costs the machine nothing, more images would.
FLOW_IMAGES, FLOW_EVERY_S = 10, 0.4
IN_HAND_MS = 40
#: Takes the case's name and the plant, waits for the verdict, writes it down, asserts it.
Report = Callable[..., None]
Events = dict[str, tuple[str, bytes]]


class Plant:
    """``start``, ``send``, ``verdict``; kill between or during as you like.

    ``site``: what differs from ``chaos_site.SITE``. All else is Fanfold's default.
    """

    def __init__(self, folder: Path, *, wait_ms: float = 0, **site: Any) -> None:
        self.folder = folder
        self.core = CoreProcess(
            folder / "core", str(folder / "group-document.json"), folder / "core.out"
        )
        self.sent: dict[str, Sent] = {}
        self.sound = False
        self.version = ""
        self.reported = self.failed_before = self.gaps_before = 0
        self.recovery_s: list[float] = []
        self.notes: dict[str, Any] = {}
        self.busy: list[dict[str, Any]] = []
        self.accepted: set[str] = set()
        self._local = LocalCloud(self.core.state / "cloud")
        self.far_side: FarSide | JobsSide | CertificateSide | None = None
        self._options: dict[str, Any] = {"wait_ms": wait_ms, **site}
        self.deploy()

    def use_cloud(self, far_side: FarSide, *, deploys: bool) -> None:
        """Results go to the development cloud; with ``deploys`` the group comes from there."""
        self.far_side, cloud = far_side, far_side.cloud
        self.core.environment = cloud.env()
        self.core.arguments = (
            "--cloud",
            "iot",
            "--insecure-static-credentials",
            "--endpoint-url",
            cloud.url,
            "--poll-s",
            "1",
        )
        if deploys:
            self.core.source = f"greengrass:{NAME}"
            self.deploy()

    def use_jobs(self, jobs: JobsSide | CertificateSide, arguments: tuple[str, ...]) -> None:
        """The group comes by jobs, and results go where those come from."""
        self.far_side, self.core.source, self.core.arguments = jobs, "jobs", arguments
        self.deploy()

    def deploy(self, *, version: str = "1.0.0", sound: bool = True, **changes: Any) -> str:
        """The group that the next start applies, or that a core on the cloud pulls; ``changes``
        of the site stay. Returns the group version that the cloud gave it."""
        self._options |= changes
        site = dict(self._options)
        wait_ms = site.pop("wait_ms")
        path = self.folder / "model.tar.gz"
        model = make_model(path, version=version, wait_ms=wait_ms, sound=sound)
        self.version = version if sound else self.version
        document = make_document(self.folder, model, site)
        if self.far_side is not None:
            return self.far_side.deploy(document, model)
        (self.folder / "group-document.json").write_text(json.dumps(document))
        return ""

    def start(self, faults: dict[str, Any] | None = None, deadline_s: float = 60) -> float:
        self._local = LocalCloud(self.core.state / "cloud")  # a power cut may have shortened it
        return self.core.start(faults, deadline_s)

    def begin_row(self) -> None:
        """What comes now is another row's; its report makes the plant sound again."""
        self.sound, self.recovery_s, self.notes, self.busy = False, [], {}, []

    # What the cameras do

    def send(
        self,
        count: int,
        deadline_s: float = 90,
        halfway: Callable[[], None] | None = None,
        window: int = WINDOW,
        **more: Any,
    ) -> None:
        """Until each of ``count`` images is accepted; ``halfway`` may end and start the core.

        ``more`` goes into every event, ``poison`` into the picture; with ``names`` so many file
        names are used in turn, each again for another picture.
        """
        poison, names = more.pop("poison", None), more.pop("names", None)
        events = {}
        for number in range(len(self.sent), len(self.sent) + count):
            stream = f"cam{number % 2 + 1}"
            image_id = f"i-{number:06d}"
            place = number if names is None else number // 2 % names
            name = self._draw(image_id, f"{stream}/{place:06d}.png", poison)
            body = json.dumps({"v": 1, "id": image_id, "file": name, **more}).encode()
            events[image_id] = (f"{NAME}/images/{stream}", body)
        self._send(events, deadline_s, halfway, window)

    def flow(
        self,
        over: Callable[[], bool],
        images: int = FLOW_IMAGES,
        every_s: float = FLOW_EVERY_S,
        **more: Any,
    ) -> None:
        """Images at the cameras' rate until ``over()``. As fast as the core takes them is what
        benchmarks do: both processors' work for as long as a test waits for its fault."""
        while not over():
            due = time.monotonic() + every_s
            self.send(images, **more)
            time.sleep(max(0.0, due - time.monotonic()))

    def send_manifest(self, event_id: str, count: int, deadline_s: float = 90, **more: Any) -> None:
        """``count`` images of one camera, named by one event."""
        names = [
            self._draw(f"{event_id}/{index}", f"cam1/{event_id}-{index:06d}.png")
            for index in range(count)
        ]
        body = json.dumps({"v": 1, "id": event_id, "files": names, **more}).encode()
        self._send({event_id: (f"{NAME}/images/cam1", body)}, deadline_s, None, 1)

    def drop(self, count: int) -> None:
        """Renames files into the drop folder; no event names them. ``sent`` goes by file."""
        for number in range(len(self.sent), len(self.sent) + count):
            name = f"drop/cam{number % 2 + 1}/{number:06d}.png"
            self._draw(name, name + ".part")
            path = self.folder / "images" / name
            path.with_name(path.name + ".part").rename(path)
            self.sent[name] = Sent(name, code_of(name))

    def redraw(self) -> None:
        """After a power cut cameras write again, beside and renamed, what they have heard no
        `accepted` for and is not whole. The rest is not theirs any more."""
        for image_id, image in self.sent.items():
            path = self.folder / "images" / image.file
            whole = path.exists() and path.read_bytes() == picture(image.code)
            if image_id not in self.accepted and not whole:
                path.parent.mkdir(parents=True, exist_ok=True)
                beside = path.with_name(f".{path.name}.part")
                beside.write_bytes(picture(image.code))
                beside.replace(path)

    def _draw(self, image_id: str, name: str, poison: str | None = None) -> str:
        """Writes and remembers the picture of one image; the name of its file."""
        path = self.folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.part")
        beside.write_bytes(picture(code_of(image_id), poison))
        beside.replace(path)
        self.sent[image_id] = Sent(name, code_of(image_id), fatal=poison is not None)
        return name

    def _send(
        self,
        events: Events,
        deadline_s: float,
        halfway: Callable[[], None] | None,
        window: int,
    ) -> None:
        sender = Sender(deque(events), window=window, resend_s=1.0)
        core, end = self.core.running(), time.monotonic() + deadline_s
        assert core is not None
        topics = [f"{NAME}/images/+/{answer}" for answer in ("accepted", "rejected")]
        with ExitStack() as stack:
            console = _connected(core, topics, end)
            stack.push(console)
            while not sender.done:
                assert time.monotonic() < end, f"{sender.settled} of {len(events)} settled"
                for event_id in sender.due(time.monotonic()):
                    console.publish(*events[event_id])
                message = console.receive(0.05)
                if message is not None and message.topic.endswith("/accepted"):
                    self.accepted.add(message.json()["id"])
                    sender.on_accepted(message.json())
                elif message is not None:
                    self._rejected(message.json(), sender)
                if halfway is not None and sender.settled >= len(events) // 2:
                    strike, halfway = halfway, None
                    strike()
        assert not sender.rejected, sender.rejected

    def _rejected(self, body: dict[str, Any], sender: Sender) -> None:
        if body.get("reason") == "busy":
            self.busy.append(body)
        sender.on_rejected(body, time.monotonic())

    # What goes wrong, and what it leaves

    def kill_core(self, *, everything: bool = False, faults: dict[str, Any] | None = None) -> None:
        """SIGKILL, started again at once; no process of the old one may be left behind."""
        began = time.monotonic()
        family = self.core.kill(everything=everything)
        self.core.start(faults)
        self.recovery_s.append(time.monotonic() - began)
        assert_gone(family)

    def restarts(self) -> int:
        return sum(function["restarts"] for function in self.core.functions().values())

    def strikes(self, kind: str = "kill") -> int:
        """Functions that the fault plan has killed (``freeze``: stopped) so far."""
        return (self.folder / "core.out").read_text().count(f"fault plan: {kind} ")

    # What the far side has

    def records(self) -> list[dict[str, Any]]:
        """Records in the cloud, gaps among them, in the order of their arrival."""
        if self.far_side is not None:
            return self.far_side.records()
        return self._local.records()

    def summaries(self) -> list[dict[str, Any]]:
        """Job summaries in the local cloud."""
        return self._local.summaries()

    def verdict(self, deadline_s: float = 90) -> Verdict:
        """Once nothing is missing, or the time is up."""
        end = time.monotonic() + deadline_s
        while True:
            began = time.monotonic()
            records = self.records()
            if began >= end or not self.sent.keys() - arrived(records):
                return judge(self.sent, records)
            # Tens of thousands of records are not read ten times a second: the site needs the CPU.
            time.sleep(max(0.1, 4 * (time.monotonic() - began)))

    def stop(self) -> None:
        self.core.stop()


def _connected(core: RunningCore, topics: list[str], end: float) -> Console:
    """Cameras connect again: where one group follows another, nobody listens for a moment."""
    while True:
        try:
            return Console(core, topics).__enter__()
        except UserError:
            if time.monotonic() >= end:
                raise
            time.sleep(0.1)

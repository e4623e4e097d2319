"""A site with two boxes, as its guide says: the real CDK, two real cores, a camera that moves."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from checkout import PROJECT
from cloud_plant import Plant, package, picture
from waiting import eventually

import devcloud
from fanfold.device.interpreters import device_python

pytestmark = [pytest.mark.soak, pytest.mark.e2e, pytest.mark.timeout(1500)]
GUIDE = PROJECT / "docs/guides/several-boxes.md"
CAMERA = "press-top"
EVERY_S = 0.4
WAIT_S = 300.0
#: Two boxes on one machine: each needs ports of its own. Under root, where nobody has made
#: Greengrass's user, a core with a certificate starts no function unless it is told to.
MORE = {
    "run": ["--mqtt-plain-port", "0", "--ipc-port", "0", "--http-port", "0", "--poll-s", "0.5",
            "--function-user", "root"],
    "deploy": ["--wait-s", "5"],
    "results": ["--json"],
}  # fmt: skip


class Hall(Plant):
    """The guide's site under a name of its own; `cores` are on this machine."""

    def __init__(self, cloud: devcloud.DevCloud, folder: Path, name: str, target: str) -> None:
        self.target, self.boxes = target, (name, f"{name}-b")
        super().__init__(cloud, folder, name)
        self.state.mkdir()
        (self.state / "devcloud").symlink_to(cloud.state_dir)
        self.publish(package(folder, "good"))
        self.deal(CAMERA, "hall")

    def deal(self, camera: str, core: str) -> None:
        """The site's file, with one camera put by hand."""
        site = yaml.safe_load((PROJECT / f"sites/demo{self._suffix}.yaml").read_text())
        second = {each: str(self.folder / f"b-{each}") for each in ("images", "state")}
        mine = core if core != "hall" else self.name
        site.update(
            name=self.name, cores=[{"name": "b", "thing": f"{self.name}-b", "volumes": second}],
            cameras=[{"name": camera, "core": mine}, {"name": "belt", "core": "b"},
                     {"name": "press-side", "core": self.name}],
            core={"thing": f"{self.name}-core"}, workers=1,
            model={**site["model"], "s3_uri": f"s3://{self.bucket}/good.tar.gz"},
            volumes={each: str(self.folder / each) for each in ("images", "state")},
            cloud={"monitor": {"every_s": 10}},
        )  # fmt: skip
        self.site_file.write_text(yaml.safe_dump(site))

    @property
    def _suffix(self) -> str:
        return "-iot" if self.target == "iot" else ""

    def type(self, block: int) -> dict[str, str]:
        """A shell block of the guide; what each verb printed on stdout, notes after it."""
        said: dict[str, str] = {}
        shell = re.findall(r"^```sh\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
        for line in shell[block].splitlines():
            _, verb, *rest = shlex.split(line, comments=True)
            words = [re.sub(r"\bhall\b", self.name, word) for word in rest]
            done = self.fanfold(verb, *words, *MORE.get(verb, []))
            # `sites` ends with 1 where a box is not ok just then, while it starts say.
            ended = (0, 1) if verb == "sites" else (0,)
            assert done.returncode in ended, f"{line}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
            said[verb] = said.get(verb, "") + done.stdout + done.stderr
        return said

    def cameras(self, box: str) -> set[str]:
        """Of the group that the core of this box runs now."""
        current = self.state / "core" / box / "deployment/current/group.json"
        return set(re.findall(rf'"{box}/images/([\w-]+)"', current.read_text()))

    def landed(self, camera: str) -> list[dict[str, Any]]:  # type: ignore[override]
        done = self.fanfold("results", self.name, "--from", "cloud", "--stream", camera, "--json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def stop(self) -> None:
        for box in self.boxes:
            self.fanfold("stop", box)


class Camera:
    """Drops one image after another, first for one box and then for the other; the oracle."""

    def __init__(self, hall: Hall) -> None:
        self.count = 0
        self._folder, self._end = self._of(hall, "images"), threading.Event()
        self._new = self._of(hall, "b-images")
        self._moving = threading.Lock()
        self._thread = threading.Thread(target=self._drop_all)

    def _of(self, hall: Hall, volume: str) -> Path:
        folder = hall.folder / volume / "drop" / CAMERA
        folder.mkdir(parents=True)
        return folder

    def __enter__(self) -> Camera:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def move(self, taken: int) -> None:
        """To the new box, with what lies in the old folder behind the first `taken` images."""
        with self._moving:
            for path in sorted(self._folder.glob("*.png"))[taken:]:
                path.rename(self._new / path.name)
            self._folder = self._new

    def _drop_all(self) -> None:
        while not self._end.wait(EVERY_S):
            with self._moving:
                self.count += 1
                part = self._folder / ".part"
                part.write_bytes(picture(self.count))
                part.rename(self._folder / f"{self.count:05}.png")


@pytest.fixture(params=["iot", "v1"])
def hall(request, cloud, tmp_path_factory) -> Iterator[Hall]:
    if device_python() is None or shutil.which("node") is None:
        pytest.skip("needs node, and the Lambdas' interpreter (.venv-device): run `make setup`")
    made = Hall(cloud, tmp_path_factory.mktemp("hall"), f"hall-{request.param}", request.param)
    yield made
    made.stop()


def taken_by(hall: Hall, box: str) -> int:
    """Images of the camera that the old box has recorded, once that no longer changes."""
    seen = [0]

    def settled() -> int:
        done = hall.fanfold("history", box, "--camera", CAMERA, "--json", "-n", "5000")
        seen.append(len(done.stdout.splitlines()))
        return seen[-1] if seen[-1] == seen[-2] else 0

    return int(eventually(settled, lambda: f"an end of what {box} records: {seen}"))


def numbers(records: list[dict[str, Any]]) -> list[int]:
    return [int(Path(record["file"]).stem) for record in records]


def test_two_boxes_are_deployed_and_a_camera_that_moves_keeps_its_order_and_every_image(hall):
    first, second = hall.boxes
    hall.type(1)
    eventually(lambda: hall.cameras(first) == {CAMERA, "press-side"}, "the first box's group")
    eventually(lambda: hall.cameras(second) == {"belt"}, "the second box's group")

    with Camera(hall) as camera:
        eventually(lambda: camera.count >= 5, "five images of the camera")
        hall.deal(CAMERA, "b")
        said = hall.type(2)
        eventually(lambda: hall.cameras(first) == {"press-side"}, "the camera has left its old box")
        eventually(lambda: hall.cameras(second) == {"belt", CAMERA}, "the new box has the camera")
        camera.move(taken_by(hall, first))
        moved_at = camera.count
        eventually(lambda: camera.count >= moved_at + 8, "eight images for the new box")

    assert f"camera {CAMERA} moves from {first} to {second}" in said["deploy"]
    whole = list(range(1, camera.count + 1))
    eventually(
        lambda: numbers(hall.landed(CAMERA)) == whole,
        lambda: f"{whole[-1]} images once, in order; there are {numbers(hall.landed(CAMERA))}",
        WAIT_S,
    )
    assert {record["status"] for record in hall.landed(CAMERA)} == {"ok"}
    buckets = {each["Name"] for each in hall.clients["s3"].list_buckets()["Buckets"]}
    assert len([name for name in buckets if name.startswith(f"fanfold-{hall.name}")]) == 1
    page = (hall.folder / "fleet.html").read_text()
    assert all(f'"site": "{box}"' in page for box in hall.boxes)

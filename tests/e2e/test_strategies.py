"""Each strategy that runs, on the real core: every image ends, in order."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
from pathlib import Path
from zlib import compress, crc32

import pytest
import yaml
from checkout import PROJECT
from verbs import run_verb

from edgecore.supervisor.isolation import bubblewrap
from fanfold.device.interpreters import device_python

IMAGES = 40
SPOILT = 7
STRATEGIES = ("pinned", "decoupled", "pool", "on_demand")
MODEL = {
    "v": 1, "name": "sim", "version": "1.0.0", "runtime": "simulated", "task": "classification",
    "input": {"shape": [1, 3, 32, 32]}, "simulated": {"wait_ms": 2},
}  # fmt: skip


def write_site(folder: Path, strategy: str, isolation: str) -> None:
    """A working folder with one site of two workers, and cores for two transforms beside them."""
    (folder / "sites").mkdir()
    (folder / "device_profiles").mkdir()
    profile = yaml.safe_load((PROJECT / "device_profiles/this-machine.yaml").read_text())
    profile.update(cpu_cores=4, containers={"supported": isolation == "container"})
    (folder / "device_profiles/this-machine.yaml").write_text(yaml.safe_dump(profile))
    (folder / ".venv-device").symlink_to(PROJECT / ".venv-device")
    site = yaml.safe_load((PROJECT / "sites/demo.yaml").read_text())
    site.update(name="strategies", strategy=strategy, cameras=[{"name": "cam1"}])
    site["transforms"] = 2 if strategy == "decoupled" else "auto"
    site["core"]["thing"] = "strategies-core"
    site["volumes"] = {each: str(folder / each) for each in ("images", "state")}
    (folder / "sites/strategies.yaml").write_text(yaml.safe_dump(site))


def shared_memory(folder: Path) -> list[Path]:
    """What the functions left of it for tensors; it is removed."""
    own = hashlib.sha256(str(folder / "state").encode()).hexdigest()[:8]
    place = Path("/dev/shm") / f"fanfold-strategies-{own}"
    left = list(place.glob("*"))
    shutil.rmtree(place, ignore_errors=True)
    return left


def png(grey: int, size: int = 40) -> bytes:
    """A square picture of one grey."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data))

    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    rows = compress((b"\0" + bytes([grey]) * size) * size)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def write_inputs(folder: Path) -> None:
    """A simulated model's package, pictures, and one file that is none."""
    (folder / "model.json").write_text(json.dumps(MODEL))
    with tarfile.open(folder / "model.tar.gz", "w:gz") as package:
        package.add(folder / "model.json", "model.json")
    (folder / "photos").mkdir()
    for n in range(IMAGES):
        picture = b"not an image" if n == SPOILT else png(n)
        (folder / "photos" / f"{n:03}.png").write_bytes(picture)


@pytest.mark.e2e
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("strategy", "isolation"),
    [*((strategy, "none") for strategy in STRATEGIES), ("decoupled", "container")],
)
def test_every_image_ends_in_order(strategy, isolation, tmp_path):
    if device_python() is None:
        pytest.skip("no interpreter for the Lambdas (.venv-device): run `make setup`")
    if isolation == "container" and bubblewrap() is None:
        pytest.skip("no bubblewrap that makes namespaces here")
    write_site(tmp_path, strategy, isolation)
    write_inputs(tmp_path)
    environment = {
        **os.environ, "FANFOLD_STATE": str(tmp_path / "s"), "PYTHONPATH": str(PROJECT),
        "NO_COLOR": "1",
    }  # fmt: skip

    def run(*arguments: str) -> str:
        done = run_verb(*arguments, cwd=tmp_path, env=environment, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    ports = [f"--{each}-port=0" for each in ("mqtt-plain", "ipc", "http")]
    run("run", "strategies", "--model", "model.tar.gz", "--detach", "--no-doctor", *ports)
    listen = ["results", "strategies", "--json", "-n", str(IMAGES), "--timeout-s", "20"]
    try:
        reader = subprocess.Popen(
            [sys.executable, "-m", "fanfold.main", *listen], cwd=tmp_path, env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        while "listening" not in reader.stderr.readline():
            assert reader.poll() is None
        run("send", "photos", "--site", "strategies", "--camera", "cam1")
        out, err = reader.communicate(timeout=60)
        assert reader.returncode == 0, err
        running = json.loads(run("status", "strategies", "--json"))["functions"]
    finally:
        run("stop", "strategies")

    assert {path.suffix for path in shared_memory(tmp_path)} <= {".fifo"}, "memory is left"
    assert {function["isolation"] for function in running} == {isolation}
    records = [json.loads(line) for line in out.splitlines()]
    assert [record["seq"] for record in records] == list(range(1, IMAGES + 1))
    assert [r["seq"] for r in records if r["status"] != "ok"] == [SPOILT + 1]

"""`fanfold detect` and `fanfold pool`: what this machine is, and the pool with no core."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from fake_driver import proc_files, uuid
from pydantic import TypeAdapter

from fanfold.detect.machine import detect
from fanfold.reference.answers import ANSWERS
from infra.planning.profile import Profile


def machine(root: Path) -> Path:
    """A machine's files: eight gigabytes, no GPU."""
    (root / "proc").mkdir()
    (root / "dev").mkdir()
    (root / "proc/meminfo").write_text("MemTotal:  8388608 kB\n")
    (root / "proc/cpuinfo").write_text("model name\t: Test CPU\n")
    (root / "proc/filesystems").write_text("nodev\toverlay\n")
    return root


def valid(profile: object) -> Profile:
    return Profile.model_validate_json(json.dumps(profile))


def test_a_machine_without_a_gpu_gives_a_valid_profile(tmp_path):
    profile, remarks = detect("box", machine(tmp_path))

    assert valid(profile).gpus == ()
    assert profile["memory_mb"] == 8192
    assert any("no GPU" in remark for remark in remarks)


def test_gpus_are_read_from_the_driver_where_nvml_is_not_there(tmp_path):
    root = machine(tmp_path)
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidia3", "nvidiactl"):
        (root / "dev" / name).touch()
    proc_files(root)  # four cards whose index is not their minor

    profile, remarks = detect("box", root)

    checked = valid(profile)
    assert [(gpu.index, gpu.uuid, gpu.pci) for gpu in checked.gpus] == [
        (0, uuid("a"), "0000:18:00.0"),
        (1, uuid("b"), "0000:3b:00.0"),
        (2, uuid("c"), "0000:86:00.0"),
        (3, uuid("d"), "0000:af:00.0"),
    ]
    files = [file for gpu in checked.gpus for file in gpu.devices]
    assert files == ["/dev/nvidia2", "/dev/nvidia3", "/dev/nvidia0", "/dev/nvidia1"]
    assert checked.devices == ("/dev/nvidiactl",)
    assert any("memory_mb of GPU 0 is not known" in remark for remark in remarks)


def test_a_jetson_shares_its_memory_with_the_gpu(tmp_path):
    root = machine(tmp_path)
    (root / "etc").mkdir()
    (root / "etc/nv_tegra_release").write_text("# R32\n")

    profile, _ = detect("jetson", root)

    assert valid(profile).gpus[0].shares_memory
    assert profile["gpus"][0]["memory_mb"] == profile["memory_mb"]


def test_detect_writes_a_profile_once_and_never_over_another(fanfold, tmp_path):
    target = tmp_path / "box.yaml"

    assert fanfold("detect", "box", "--into", str(target)).code == 0
    again = fanfold("detect", "box", "--into", str(target))

    assert valid(yaml.safe_load(target.read_text())).name == "box"
    assert again.code == 2
    assert "exists already" in again.err


def test_pool_prints_a_line_for_each_file_in_order(fanfold, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    manifest = {
        "v": 1, "name": "sim", "version": "1.0.0", "runtime": "simulated",
        "task": "classification", "input": {"shape": [1, 3, 32, 32]},
        "simulated": {"wait_ms": 1, "decode": True},
    }  # fmt: skip
    (model / "model.json").write_text(json.dumps(manifest))
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.txt", "b.txt", "c.txt"):
        (folder / name).write_text("not an image")

    said = fanfold("pool", str(folder), "--model", str(model), "--workers", "1", "--json")

    lines = [json.loads(line) for line in said.out.splitlines()]
    assert said.code == 0
    assert [Path(line["file"]).name for line in lines] == ["a.txt", "b.txt", "c.txt"]
    assert {line["status"] for line in lines} == {"failed"}
    for line in lines:
        TypeAdapter(ANSWERS["pool"]).validate_python(line)


def test_pool_says_which_model_is_not_there(fanfold, tmp_path):
    (tmp_path / "a.jpg").touch()

    said = fanfold("pool", str(tmp_path / "a.jpg"), "--model", str(tmp_path / "none"))

    assert said.code == 2
    assert "--model" in said.err

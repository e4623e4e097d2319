"""The script for a machine with a GPU, as far as one without can tell."""

from __future__ import annotations

import json
import sys

import bench.gpu_check as gpu_check
from bench.gpu_check import Check
from bench.gpu_model import manifest
from bench.group import Machine, Setting, write_group
from contract.accelerators.cards import Card, Inventory
from models.package import pack


def test_without_a_gpu_it_says_so_and_ends_with_three(monkeypatch, capsys):
    monkeypatch.setattr(gpu_check, "look", Inventory)
    monkeypatch.setattr(sys, "argv", ["gpu_check"])

    assert gpu_check.main() == 3
    assert "no GPU here" in capsys.readouterr().out


def test_a_part_that_fails_is_reported_and_the_next_one_runs(tmp_path, capsys):
    check = Check(None, tmp_path, 60)

    check.part("first", lambda: 1 / 0)
    check.part("second", lambda: {"images_per_s": 4})

    assert check.failed == ["first"]
    assert check.report["first"] == "failed: division by zero"
    assert check.report["second"] == {"images_per_s": 4}
    assert "first" in capsys.readouterr().out


def test_no_part_begins_when_the_time_is_over(tmp_path):
    check = Check(None, tmp_path, -1)

    check.part("late", lambda: 1)

    assert check.report["late"] == "left out: the time is over"
    assert not check.failed


def test_its_network_is_a_package_that_the_planner_and_a_worker_take(tmp_path):
    (tmp_path / "net.pt").write_bytes(b"stands for the network")
    (tmp_path / "labels.txt").write_text("".join(f"class{n}\n" for n in range(10)))
    made = pack(tmp_path, manifest(), tmp_path / "network.tar.gz")
    card = Card(0, "GPU-aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "0000:18:00.0", 2, "H200", 143771)
    machine = Machine(gpu_check._profile(card, 8, {}), {"copies_per_gpu": 8})

    path, _ = write_group(tmp_path / "work", Setting(8), tmp_path / "network.tar.gz", None, machine)

    variables = [
        each["FunctionConfiguration"]["Environment"]["Variables"]
        for each in json.loads(path.read_text())["Functions"]
        if "Environment" in each["FunctionConfiguration"]
    ]
    assert made.spec.runtime == "pytorch"
    assert [v["FANFOLD_GPU_UUID"] for v in variables if "GPU_ID" in v] == [card.uuid] * 8


def test_the_card_goes_into_a_profile_that_the_planner_takes_and_into_the_report(tmp_path):
    card = Card(0, "GPU-aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "0000:18:00.0", 2, "H200", 143771)

    made = gpu_check._profile(card, 8, {})

    assert made["gpus"] == [
        {"index": 0, "model": "H200", "memory_mb": 143771, "uuid": card.uuid},
    ]
    assert json.loads(json.dumps(Check(card, tmp_path, 1).report))["gpu"]["uuid"] == card.uuid

"""The script for a machine with a GPU, as far as one without can tell."""

from __future__ import annotations

import json
import sys

import bench.gpu_check as gpu_check
from bench.gpu_check import Check
from contract.accelerators.cards import Card, Inventory


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


def test_the_card_goes_into_a_profile_that_the_planner_takes_and_into_the_report(tmp_path):
    card = Card(0, "GPU-aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "0000:18:00.0", 2, "H200", 143771)

    made = gpu_check._profile(card, 8, {})

    assert made["gpus"] == [
        {"index": 0, "model": "H200", "memory_mb": 143771, "uuid": card.uuid},
    ]
    assert json.loads(json.dumps(Check(card, tmp_path, 1).report))["gpu"]["uuid"] == card.uuid

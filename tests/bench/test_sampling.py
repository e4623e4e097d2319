"""What is sampled beside a run: memory of a real process, GPUs where there are bindings."""

from __future__ import annotations

import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from waiting import eventually

from bench.gpu import GpuSampler
from bench.sampler import Sampler


def test_the_peak_of_a_process_and_its_children_is_seen_and_they_are_ended(monkeypatch):
    monkeypatch.setattr(Sampler, "every_s", 0.05)
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    process = subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE)
    with Sampler(process.pid) as sampler:
        eventually(lambda: len(sampler._seen) == 2, "parent and child")
        eventually(lambda: sampler.peak_pss_kb > 0, "their memory")

    sampler.end_tree()
    assert process.wait(30) != 0


@pytest.fixture
def bindings(monkeypatch) -> SimpleNamespace:
    """`pynvml` with two GPUs, one of them busy."""
    made = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetUtilizationRates=lambda index: SimpleNamespace(gpu=80 * index),
        nvmlShutdown=lambda: setattr(made, "over", True),
        over=False,
    )
    monkeypatch.setitem(sys.modules, "pynvml", made)
    monkeypatch.setattr(GpuSampler, "every_s", 0.01)
    return made


def test_each_gpu_has_its_mean_and_the_driver_is_released(bindings):
    with GpuSampler() as gpus:
        eventually(lambda: len(gpus.mean_percent()) == 2, "a sample of each")

    assert gpus.mean_percent() == {0: 0.0, 1: 80.0}
    assert bindings.over


def test_without_a_driver_nothing_is_sampled_and_no_thread_runs(bindings, monkeypatch):
    def no_driver() -> None:
        raise OSError("no driver")

    monkeypatch.setattr(bindings, "nvmlInit", no_driver)
    before = threading.active_count()
    with GpuSampler() as gpus:
        assert threading.active_count() == before

    assert gpus.mean_percent() == {}

"""A plant per test, and what it saw written below build/chaos/ for the report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos_oracle import Verdict
from chaos_plant import DEVICE_PYTHON, ROOT, Plant, Report

from bench.machine import describe

# Start and end of a JPEG with an 8 × 8 frame header: the noop model reads no pixels.
IMAGE = bytes.fromhex("ffd8ffc0000b080008000801011100ffd9")
FOLDER = ROOT / "build" / "chaos"


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    if not DEVICE_PYTHON.exists():
        pytest.skip("no .venv-device: run `make setup`")
    made = Plant(tmp_path, IMAGE)
    yield made
    made.stop()


@pytest.fixture
def report() -> Report:
    def write(case: str, plant: Plant, more: Callable[[int], None] | None = None) -> None:
        plant.verdict()
        # Records come in order: what follows everything shows that nothing came twice.
        (more or plant.send)(2)
        verdict = plant.verdict()
        FOLDER.mkdir(parents=True, exist_ok=True)
        path = FOLDER / f"{case.replace(' ', '-').replace(',', '')}.json"
        path.write_text(json.dumps(_run(case, plant, verdict), indent=1) + "\n")
        assert verdict.clean, verdict

    return write


def _run(case: str, plant: Plant, verdict: Verdict) -> dict[str, Any]:
    return {
        "fault": case,
        "images": len(plant.sent),
        "lost": len(verdict.missing),
        "duplicates": len(verdict.duplicated),
        "out_of_order": verdict.out_of_order,
        "wrong_file": len(verdict.wrong_file),
        "failed": verdict.failed,
        "recovery_s": plant.recovery_s,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": describe(),
    }

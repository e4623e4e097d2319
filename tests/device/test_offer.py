"""What the Model component runs: its offer is answered, also where another takes its place."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import eventually

from infra.packaging import OFFER


class Work:
    """The Core's work folder, and a Model component beside it."""

    def __init__(self, folder: Path) -> None:
        self.offers = folder / "work/core/offers"
        self.offers.mkdir(parents=True)
        self._own = folder / "work/model"
        self._own.mkdir()
        self._model = folder / "model.tar.gz"
        self._model.touch()
        self.started: list[subprocess.Popen[str]] = []

    def offer(self) -> subprocess.Popen[str]:
        command = [sys.executable, str(OFFER), "model", "--core", "core", "--path"]
        command += [str(self._model), "--wait-s", "60"]
        one = subprocess.Popen(command, cwd=self._own, stdout=subprocess.PIPE, text=True)
        self.started.append(one)
        return one

    def offered(self) -> Any:
        path = self.offers / "model.json"
        return json.loads(path.read_text())["nonce"] if path.exists() else None

    def answer(self, nonce: str, verdict: str) -> None:
        (self.offers / "verdict.json").write_text(json.dumps({"nonce": nonce, "verdict": verdict}))


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    made = Work(tmp_path)
    yield made
    for one in made.started:
        one.kill()
        one.communicate()


@pytest.mark.parametrize(("verdict", "code"), [("proved", 0), ("refused", 1)])
def test_the_cores_answer_to_the_offer_is_how_it_ends(work: Work, verdict: str, code: int) -> None:
    one = work.offer()
    work.answer(eventually(work.offered, "the offer"), verdict)
    assert one.wait(60) == code


def test_an_offer_whose_place_another_took_is_made_again_once_that_one_is_answered(
    work: Work,
) -> None:
    """A nucleus that starts with a deployment runs the old model and installs the new at once."""
    one = work.offer()
    nonce = eventually(work.offered, "the offer")
    (work.offers / "model.json").write_text(json.dumps({"nonce": "another"}))
    work.answer("another", "refused")
    eventually(lambda: work.offered() == nonce, "offered again")
    work.answer(nonce, "proved")
    assert one.wait(60) == 0

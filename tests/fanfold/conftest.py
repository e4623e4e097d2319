from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from fanfold.main import main


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Fanfold = Callable[..., Said]


@pytest.fixture
def fanfold(capfd: pytest.CaptureFixture[str], tmp_path, monkeypatch) -> Fanfold:
    """Runs one command as a shell would, with a state directory of its own."""
    monkeypatch.setenv("FANFOLD_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("FANFOLD_DEBUG", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)

    def run(*arguments: str) -> Said:
        code = main(list(arguments))
        captured = capfd.readouterr()
        return Said(code, captured.out, captured.err)

    return run

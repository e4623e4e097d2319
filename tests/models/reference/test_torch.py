"""PyTorch's own files, opened as a worker opens them. `make torch-tests` runs them; elsewhere they
are skipped, since PyTorch is too big for every developer."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

PROJECT = Path(__file__).parents[3]
sys.path.insert(0, str(PROJECT))

torch = pytest.importorskip("torch", reason="needs PyTorch: `make torch-tests`")
cv2 = pytest.importorskip("cv2")

from lambdas.model.errors import ModelError  # noqa: E402
from lambdas.model.hooks import Hooks  # noqa: E402
from lambdas.model.package import load_package  # noqa: E402
from lambdas.model.runtimes.select import load_runtime  # noqa: E402
from lambdas.worker.warm_up import answered, verify  # noqa: E402
from models.draft import Overrides, draft, write  # noqa: E402
from models.facts import read_facts  # noqa: E402
from models.jsonc import read  # noqa: E402
from models.package import pack  # noqa: E402
from models.recognise import Found, Side  # noqa: E402

# Announced for years, and what devices have.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")


class Colours(torch.nn.Module):
    def forward(self, picture):
        return picture.mean((2, 3)) * 20


def saved(folder, kind):
    network = Colours().eval()
    if kind == "script":
        path = folder / "network.pt"
        torch.jit.trace(network, torch.rand(1, 3, 32, 32)).save(str(path))
    else:
        path = folder / "network.pt2"
        torch.export.save(torch.export.export(network, (torch.rand(1, 3, 32, 32),)), str(path))
    return path


@pytest.fixture(params=["script", "pt2"])
def package(request, tmp_path):
    facts = read_facts(saved(tmp_path, request.param))
    folder = tmp_path / "package"
    labels = ("red", "green", "blue")
    write(draft(facts, Found("unit", "as declared", labels), Overrides("net", size=Side(32, 32))),
          folder)  # fmt: skip
    document = read((folder / "model.json").read_bytes())
    made = pack(folder, document, folder / "net.tar.gz")
    (folder / "model.json").write_text(json.dumps(dict(document, files=made.spec.files)))
    return load_package(str(folder))


def test_torchscript_and_exported_programs_answer_as_torch_does(package, tmp_path, monkeypatch):
    monkeypatch.setenv("FANFOLD_MODEL_SHA256", "0" * 64)
    model = verify(package, load_runtime(package, -1), Hooks())
    picture = np.full((32, 32, 3), (10, 40, 220), np.uint8)  # BGR: red
    cv2.imwrite(str(tmp_path / "red.png"), picture)
    top = answered(model, str(tmp_path / "red.png"))["top"]
    logits = torch.tensor([220, 40, 10]) / 255 * 20
    assert top[0]["label"] == "red"
    assert top[0]["score"] == pytest.approx(float(logits.softmax(0)[0]), abs=1e-4)


def test_without_a_pinned_hash_they_are_not_opened(package, monkeypatch):
    monkeypatch.delenv("FANFOLD_MODEL_SHA256", raising=False)
    with pytest.raises(ModelError, match="can run any code when it is loaded"):
        load_runtime(package, -1)


def test_a_pickle_is_refused_by_name(tmp_path):
    torch.save(Colours(), str(tmp_path / "best.pt"))
    with pytest.raises(ModelError, match="is a pickle"):
        read_facts(tmp_path / "best.pt")

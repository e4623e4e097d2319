import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from inference_kit import jpeg, lite0, photo, simulated

from contract.digests import sha256_of
from lambdas.imaging.transform import Transform
from lambdas.model.package import load_package
from lambdas.model.runtimes.select import load_runtime
from lambdas.model.spec import ModelError
from lambdas.model.tasks.postprocess import describe
from models.photos import PHOTOS


@pytest.fixture
def copy(tmp_path):
    """A package of one's own, to break."""
    return Path(shutil.copytree(str(lite0()), str(tmp_path / "model")))


def seal(folder, **changed):
    """Write model.json anew, with the hashes of the files as they are now."""
    path = folder / "model.json"
    document = dict(json.loads(path.read_text()), **changed)
    document["files"] = {name: sha256_of(str(folder / name)) for name in document["files"]}
    path.write_text(json.dumps(document))


def top(folder, name):
    package = load_package(str(folder))
    batch = np.zeros(package.spec.input.shape, np.float32)
    Transform(package.spec.input)(jpeg(photo(name)), batch[0])
    outputs = [o[0] for o in load_runtime(package, -1).infer(batch)]
    return describe(outputs, package.labels, package.spec)["top"]


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
@pytest.mark.parametrize("known", [p for p in PHOTOS if p.labels], ids=lambda p: p.name)
def test_the_demo_model_names_what_is_on_the_photograph(known, version):
    assert top(lite0(version), known.name)[0]["label"] in known.labels


def test_the_same_photograph_gives_the_same_scores_again():
    assert top(lite0(), "chelsea") == top(lite0(), "chelsea")


def test_scores_are_those_of_the_original_network():
    # Reference: the same weights run outside of this code base (chelsea, coffee).
    assert top(lite0(), "coffee")[0]["score"] == pytest.approx(0.946, abs=0.02)
    assert top(lite0(), "chelsea")[0]["score"] == pytest.approx(0.408, abs=0.02)


def test_a_changed_file_stops_the_model_from_being_loaded(copy):
    params = copy / "lite0-0000.params"
    params.write_bytes(params.read_bytes() + b"x")
    with pytest.raises(ModelError, match=r"lite0-0000\.params has SHA-256"):
        load_package(str(copy))


def test_a_model_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match="is the model resource attached"):
        load_package(str(tmp_path / "nothing"))


def test_an_empty_folder_says_what_a_package_needs(tmp_path):
    with pytest.raises(ModelError, match=r"neither model\.json nor one \*-symbol\.json"):
        load_package(str(tmp_path))


def test_a_gpu_that_mxnet_does_not_see_is_said_to_be_missing():
    import mxnet as mx

    count = mx.context.num_gpus()
    with pytest.raises(ModelError, match=f"GPU_ID={count}: MXNet sees {count} GPUs"):
        load_runtime(load_package(str(lite0())), count)


def test_parameters_that_the_symbol_needs_and_the_file_lacks_are_named(copy):
    import mxnet as mx

    path = str(copy / "lite0-0000.params")
    saved = mx.nd.load(path)
    del saved["arg:_fc_weight"]
    mx.nd.save(path, saved)
    seal(copy)
    with pytest.raises(ModelError, match=r"the parameters lack 1 of the symbol's: .'_fc_weight'"):
        load_runtime(load_package(str(copy)), -1)


def test_a_runtime_that_is_not_installed_is_named_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    folder = simulated(tmp_path, wait_ms=0)
    (folder / "m.xml").write_text("")
    seal(folder, runtime="openvino", model="m.xml", weights="m.xml", files=["m.xml"])
    with pytest.raises(ModelError, match="openvino needs the Python package openvino"):
        load_runtime(load_package(str(folder)), -1)


@pytest.mark.parametrize(
    ("simulation", "gpu_id"), [({}, -1), ({"wait_ms": -1}, -1), ({"wait_ms": 1, "gpus": 2}, 2)]
)
def test_a_simulation_runs_only_as_model_json_describes_it(tmp_path, simulation, gpu_id):
    with pytest.raises(ModelError, match=r"simulat"):
        load_runtime(load_package(str(simulated(tmp_path, **simulation))), gpu_id)

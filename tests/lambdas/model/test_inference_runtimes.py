"""The same network on every runtime: the same answers, the plan's threads, clear refusals."""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from checkout import PROJECT
from inference_kit import lite0, photo
from ssd_kit import write_photos, write_ssd

from contract.digests import sha256_of
from lambdas.imaging.transform import Transform
from lambdas.model.package import load_package
from lambdas.model.runtimes.select import load_runtime
from lambdas.model.spec import ModelError
from lambdas.model.tasks.postprocess import describe
from models.build_demo import write_manifest
from models.compile.agreement import compare
from models.compile.convert import convert, document

OTHERS = ("onnxruntime", "openvino")
#: The symbol of the article's network, beside a clone; not part of the project.
ARTICLE = PROJECT.parent / "shared/seed/ssd-resnet50-512/deploy_model_algo_1-symbol.json"


@functools.lru_cache(maxsize=None)
def folder(model):
    """`model`: "lite0", "ssd", "ssd-batch3" (MXNet), or one of them "@" a runtime."""
    name, _, target = model.partition("@")
    if name == "lite0" and not target:
        return lite0()
    out = Path(tempfile.mkdtemp(prefix="fanfold-runtimes-"))
    if not target:
        return write_ssd(out, batch=3 if name == "ssd-batch3" else 1)
    # From ONNX to OpenVINO is what compiling an ONNX package does, and is quick.
    source = name if target == "onnxruntime" else f"{name}@onnxruntime"
    package = load_package(str(folder(source)))
    files = convert(package, target, None, out, lambda step: None)
    (out / "labels.txt").write_bytes((Path(package.folder) / "labels.txt").read_bytes())
    if name == "lite0":
        (out / "NOTICE").write_text("")
    write_manifest(out, document(package, target, files, {"precision": "fp32"}))
    return out


@functools.lru_cache(maxsize=None)
def photos():
    return write_photos(Path(tempfile.mkdtemp(prefix="fanfold-photos-")), photo)


@pytest.fixture
def copy(tmp_path):
    """A package of one's own, to break, of a model of `folder`."""
    return lambda model: Path(shutil.copytree(str(folder(model)), str(tmp_path / "model")))


def answers(package, images):
    """`output` of each image, in batches as a worker makes them."""
    spec = package.spec
    runtime = load_runtime(package, -1)
    found = []
    for start in range(0, len(images), spec.input.batch):
        batch = np.zeros(spec.input.shape, np.float32)
        chosen = images[start : start + spec.input.batch]
        for row, path in zip(batch, chosen):
            Transform(spec.input)(path.read_bytes(), row)
        outputs = runtime.infer(batch)
        found += [describe([o[row] for o in outputs], [], spec) for row in range(len(chosen))]
    return found


@pytest.mark.parametrize("runtime", OTHERS)
@pytest.mark.parametrize("model", ["lite0", "ssd", "ssd-batch3"])
def test_another_runtime_says_what_mxnet_says(model, runtime):
    images = sorted(photos().iterdir())
    first = load_package(str(folder(model)))
    second = load_package(str(folder(f"{model}@{runtime}")))
    told = [answers(package, images) for package in (first, second)]
    assert compare(first.spec.task, *told).value == 1.0
    if first.spec.task == "ssd_detection":
        assert sum(len(output["boxes"]) for output in told[0]) > 100
        flat = [[b["box"] + [b["score"]] for o in t for b in o["boxes"]] for t in told]
        np.testing.assert_allclose(*flat, atol=2e-4)


@pytest.mark.parametrize("model", ["lite0@onnxruntime", "ssd@openvino"])
def test_answers_stay_as_they_were_when_the_next_image_comes(model):
    runtime = load_runtime(load_package(str(folder(model))), -1)
    batch = np.random.RandomState(0).rand(*runtime.input.shape).astype(np.float32)
    first = runtime.infer(batch)
    kept = [output.copy() for output in first]
    runtime.infer(batch * 2)
    assert all((a == b).all() for a, b in zip(first, kept))


QUIET = """
import sys
import numpy as np
said = []
outside = {"os.fork", "socket.connect"}
sys.addaudithook(lambda event, _: said.append(event) if event in outside else None)
from lambdas.model.package import load_package
from lambdas.model.runtimes.select import load_runtime
runtime = load_runtime(load_package(sys.argv[1]), -1)
runtime.infer(np.zeros(runtime.input.shape, np.float32))
print(said, {name for name in sys.modules if name.startswith("openvino_telemetry.")})
"""


@pytest.mark.parametrize("runtime", OTHERS)
def test_a_runtime_neither_forks_nor_tells_anybody_outside(runtime):
    said = subprocess.run(
        [sys.executable, "-c", QUIET, str(folder(f"lite0@{runtime}"))],
        cwd=str(PROJECT), check=True, stdout=subprocess.PIPE, timeout=120,
    )  # fmt: skip
    assert said.stdout.decode().split() == ["[]", "set()"]


THREADS = """
import os, sys
import numpy as np
from lambdas.model.package import load_package
from lambdas.model.runtimes.select import load_runtime
runtime = load_runtime(load_package(sys.argv[1]), -1)
for _ in range(3):
    runtime.infer(np.zeros(runtime.input.shape, np.float32))
affinity = {tid: len(os.sched_getaffinity(int(tid))) for tid in os.listdir("/proc/self/task")}
print(len(affinity), set(affinity.values()) == {len(os.sched_getaffinity(0))})
"""


def threads_of(runtime, count):
    env = dict(os.environ, OMP_NUM_THREADS=str(count), PYTHONPATH=str(PROJECT))
    command = [sys.executable, "-c", THREADS, str(folder(f"lite0@{runtime}"))]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True, timeout=120)
    total, free = done.stdout.split()
    return int(total), free == b"True"


@pytest.mark.parametrize("runtime", OTHERS)
def test_each_thread_more_in_the_plan_is_one_thread_more_and_none_is_tied_to_a_core(runtime):
    one, free = threads_of(runtime, 1)
    two, also_free = threads_of(runtime, 2)
    assert two == one + 1
    assert free
    assert also_free


@pytest.mark.parametrize("runtime", OTHERS)
def test_a_gpu_that_the_runtime_cannot_use_is_refused_with_the_remedy(runtime):
    with pytest.raises(ModelError, match=r"GPU_ID=3: .*GPU_ID=-1"):
        load_runtime(load_package(str(folder(f"ssd@{runtime}"))), 3)


@pytest.mark.parametrize("threads", ["0", "two"])
def test_a_thread_count_that_is_none_is_named(monkeypatch, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    with pytest.raises(ModelError, match=f"OMP_NUM_THREADS='{threads}'"):
        load_runtime(load_package(str(folder("ssd@onnxruntime"))), -1)


@pytest.mark.parametrize("runtime", OTHERS)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "image"}, "the network's input is 'data', model.json says input.name 'image'"),
        ({"shape": [2, 3, 64, 64]}, r"the network takes \[1, 3, 64, 64\], model.json says"),
    ],
)
def test_an_input_that_is_not_the_networks_is_refused(copy, runtime, change, message):
    path = copy(f"ssd@{runtime}")
    edit(path, lambda model: model["input"].update(change))
    with pytest.raises(ModelError, match=message):
        load_runtime(load_package(str(path)), -1)


@pytest.mark.parametrize("runtime", OTHERS)
def test_a_file_that_is_no_network_is_refused_as_a_model_error(copy, runtime):
    path = copy(f"ssd@{runtime}")
    model = json.loads((path / "model.json").read_text())
    (path / model["model"]).write_bytes(b"not a network")
    edit(path, lambda document: None)
    with pytest.raises(ModelError, match=r"refuses small-ssd|is no ONNX model"):
        load_runtime(load_package(str(path)), -1)


def test_prior_boxes_that_do_not_fit_the_network_are_named_at_the_first_run(copy):
    path = copy("ssd@onnxruntime")
    edit(path, lambda m: m["output"]["detection"]["anchors"].pop())
    runtime = load_runtime(load_package(str(path)), -1)
    with pytest.raises(ModelError, match="makes 256 prior boxes and needs scores B×classes×256"):
        runtime.infer(np.zeros(runtime.input.shape, np.float32))


def test_a_box_that_is_not_finite_fails_its_image():
    spec = load_package(str(folder("ssd"))).spec
    with pytest.raises(ValueError, match="boxes that are not finite"):
        describe([np.full((4, 6), np.nan)], [], spec)


@pytest.mark.skipif(not ARTICLE.exists(), reason=f"the article's symbol is not at {ARTICLE}")
def test_the_articles_network_is_cut_before_its_detections_wherever_they_are():
    import mxnet as mx

    from models.compile.graph import cut

    found = cut(mx.sym.load(str(ARTICLE)), "data", (1, 3, 512, 512))
    assert sum(layer.boxes for layer in found.rule.anchors) == 6132
    assert (found.rule.nms_topk, found.rule.nms_threshold, found.rule.softmax) == (400, 0.45, True)
    assert found.network.list_outputs() == [
        "multibox_cls_pred_output",
        "multibox_loc_pred_output",
    ]


def edit(path, change):
    """Change model.json and hash its files anew."""
    manifest = path / "model.json"
    model = json.loads(manifest.read_text())
    change(model)
    model["files"] = {name: sha256_of(str(path / name)) for name in model["files"]}
    manifest.write_text(json.dumps(model))

"""`models.compile`: what is written, what is refused, and how agreement is counted."""

import json
import shutil
import tarfile
from pathlib import Path

import pytest
from inference_kit import photo
from ssd_kit import symbol, write_photos, write_ssd

from lambdas.imaging.transform import Transform
from lambdas.model.package import load_package
from lambdas.model.spec import ModelError
from models.compile import __main__ as compiling
from models.compile.agreement import compare, matched, overlap
from models.compile.graph import cut
from models.compile.images import choose


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folder of `ssd` (unpacked package), `photos`."""
    path = tmp_path_factory.mktemp("compile")
    write_ssd(path / "ssd")
    write_photos(path / "photos", photo)
    (path / "photos" / "LICENSE.txt").write_text("free")
    return path


@pytest.fixture
def quick(monkeypatch):
    """Without the measurements, which have tests of their own and take seconds."""
    monkeypatch.setattr(compiling.speed, "compare", lambda *_: {"speedup": 1.0})
    monkeypatch.setattr(compiling, "measure", lambda *_, **__: {"memory_kb": 1})


def compiled(place, source="ssd", **changed):
    """(result, steps) of compiling `place`/`source`."""
    request = {
        "folder": str(place / source), "to": "onnxruntime", "int8": False, "full_range": False,
        "calibrate": str(place / "photos"), "min_agreement": 0.9, "force": False,
        "out": str(place / "made.tar.gz"), **changed,
    }  # fmt: skip
    said = []
    return compiling.Compilation(request, said.append).run(), [answer["step"] for answer in said]


def unpack(path, out):
    with tarfile.open(str(path)) as tar:
        tar.extractall(str(out))
    return load_package(str(out))


@pytest.mark.usefixtures("quick")
def test_a_compiled_package_is_complete_and_names_its_original(place, tmp_path):
    result, steps = compiled(place)
    package = unpack(place / "made.tar.gz", tmp_path / "made")
    document = json.loads((tmp_path / "made" / "model.json").read_text())
    original = load_package(str(place / "ssd")).spec
    assert (package.spec.runtime, package.spec.version) == ("onnxruntime", "1.0.0-onnxruntime")
    assert package.labels == ["bolt", "nut"]
    assert package.spec.input == original.input
    assert document["compiled_from"]["sha256"] == original.sha256
    assert document["compiled_from"]["agreement"] == result["agreement"]
    assert result["agreement"]["value"] == 1.0
    assert result["images"]["skipped"] == ["LICENSE.txt"]
    assert steps[0] == "read images"
    assert {"convert", "compare", "pack"} < set(steps)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("target", ["mxnet", "onnxruntime", "openvino"])
def test_int8_loads_on_every_runtime_and_finds_most_of_the_boxes_again(place, tmp_path, target):
    result, _ = compiled(place, to=target, int8=True, min_agreement=0.0)
    package = unpack(place / "made.tar.gz", tmp_path / "made")
    assert package.spec.version == f"1.0.0-{target}-int8"
    assert 0.6 < result["agreement"]["value"] <= 1.0
    assert result["agreement"]["counted"] > 100
    if target != "mxnet":  # MXNet keeps its parameters beside, in full
        ours = sum(p.stat().st_size for p in Path(package.folder).glob("network*"))
        assert ours < (place / "ssd" / "ssd-0000.params").stat().st_size


@pytest.mark.usefixtures("quick")
def test_below_the_limit_nothing_is_written_unless_forced(place):
    out = place / "refused.tar.gz"
    request = {"int8": True, "min_agreement": 1.0, "out": str(out)}
    result, _ = compiled(place, **request)
    assert result["refusal"].startswith("agreement with the original is 0.")
    assert "below --min-agreement 1.0" in result["refusal"]
    assert result["package"] is None
    assert not out.exists()
    assert compiled(place, **request, force=True)[0]["package"]["path"] == str(out)


@pytest.mark.usefixtures("quick")
def test_without_a_box_there_is_no_agreement_to_speak_of(place, tmp_path):
    folder = Path(shutil.copytree(str(place / "ssd"), str(tmp_path / "ssd")))
    model = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(dict(model, threshold=0.99999)))
    (tmp_path / "photos").symlink_to(place / "photos")
    result, _ = compiled(tmp_path)
    assert result["agreement"]["value"] is None
    assert "the original finds no box on these 8 images" in result["refusal"]


@pytest.mark.usefixtures("quick")
def test_a_sagemaker_artifact_is_compiled_as_it_is(place, tmp_path):
    folder = tmp_path / "sagemaker"
    folder.mkdir()
    for name in ("symbol.json", "0000.params"):
        shutil.copy(str(place / "ssd" / f"ssd-{name}"), str(folder / f"model_algo_1-{name}"))
    (folder / "hyperparams.json").write_text('{"image_shape": "64"}')
    (tmp_path / "photos").symlink_to(place / "photos")
    result, _ = compiled(tmp_path, "sagemaker", to="openvino")
    package = unpack(tmp_path / "made.tar.gz", tmp_path / "made")
    assert (package.spec.name, package.spec.runtime) == ("sagemaker-ssd", "openvino")
    assert result["agreement"]["value"] == 1.0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"to": "mxnet"}, "for mxnet already: add --int8, or another --to"),
        ({"calibrate": "/nowhere"}, "--calibrate /nowhere: no such folder"),
    ],
)
def test_what_cannot_be_compiled_is_refused_with_the_way_out(place, changed, message):
    with pytest.raises(ModelError, match=message):
        compiled(place, **changed)


def test_a_folder_without_an_image_is_named(place, tmp_path):
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(ModelError, match="none of its 1 files is an image"):
        compiled(place, calibrate=str(tmp_path))


def test_images_that_calibrate_do_not_judge_and_the_choice_repeats(place):
    transform = Transform(load_package(str(place / "ssd")).spec.input)
    first, again = (choose(place / "photos", transform) for _ in range(2))
    assert first == again
    assert not set(first.calibrate) & set(first.judge)
    assert (len(first.calibrate), len(first.judge), first.shared) == (4, 8, False)


def test_a_training_network_is_refused_with_the_way_out():
    import mxnet as mx

    net = symbol()
    both = mx.sym.Group([net, net.get_internals()["cls_prob_output"]])
    with pytest.raises(ModelError, match="Is it the training network"):
        cut(both, "data", (1, 3, 64, 64))


def test_prior_boxes_that_something_changes_are_refused():
    import mxnet as mx

    graph = json.loads(symbol().tojson())
    index = next(i for i, n in enumerate(graph["nodes"]) if "Detection" in n["op"])
    anchors = graph["nodes"][index]["inputs"][2][0]
    graph["nodes"][anchors]["op"] = "zeros_like"
    graph["nodes"][anchors].pop("attrs", None)
    with pytest.raises(ModelError, match="pass through zeros_like"):
        cut(mx.sym.load_json(json.dumps(graph)), "data", (1, 3, 64, 64))


def box(score, x, index=0, size=0.2):
    return {"index": index, "score": score, "box": [x, 0.0, x + size, size]}


def test_boxes_count_as_found_again_once_and_in_their_class_only():
    first = [box(0.9, 0.0), box(0.8, 0.01), box(0.7, 0.5, index=1)]
    assert matched(first, [box(0.5, 0.0)]) == 1
    assert matched(first, [box(0.5, 0.5)]) == 0
    assert matched(first, list(reversed(first))) == 3
    told = compare("ssd_detection", [{"boxes": first}], [{"boxes": [box(0.5, 0.0), box(0.4, 0.9)]}])
    assert told.value == pytest.approx(2 * 1 / 5)


def test_overlap_is_intersection_over_union():
    assert overlap([0, 0, 2, 1], [1, 0, 3, 1]) == pytest.approx(1 / 3)
    assert overlap([0, 0, 0, 0], [0, 0, 0, 0]) == 0.0

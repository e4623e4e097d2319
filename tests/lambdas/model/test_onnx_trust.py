"""Files that an ONNX network may and may not lead to, and what its runtime can run."""

import os
import shutil

import numpy as np
import pytest
from model_kit import constant_net, package
from onnx import TensorProto, helper, numpy_helper

from lambdas.model.errors import ModelError
from lambdas.model.onnx_file import read_onnx
from lambdas.model.onnx_trust import check_versions, external_files, limits_of
from lambdas.model.runtimes.select import load_runtime


def outside(location, length=12, offset=None, inside_if=False):
    """A network whose weights lie in `location`; `inside_if`: in a branch of an If."""
    tensor = numpy_helper.from_array(np.zeros(3, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": location, "length": length, "offset": offset}
    for key, value in entries.items():
        if value is not None:
            tensor.external_data.add(key=key, value=str(value))
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])
    if inside_if:
        branch = helper.make_graph([helper.make_node("Identity", ["w"], ["b"])], "b", [],
                                   [helper.make_tensor_value_info("b", TensorProto.FLOAT, [3])],
                                   [tensor])  # fmt: skip
        node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
        condition = numpy_helper.from_array(np.bool_(True), "c")
        graph = helper.make_graph([node], "g", [x], [out], [condition])
    else:
        graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [x], [out],
                                  [tensor])  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


@pytest.fixture
def place(tmp_path):
    """A package's folder beside a secret that is none of its files."""
    folder = tmp_path / "package"
    (folder / "a").mkdir(parents=True)
    (folder / "w.bin").write_bytes(bytes(12))
    (tmp_path / "secret.bin").write_bytes(bytes(12))
    os.link(str(tmp_path / "secret.bin"), str(folder / "hard.bin"))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "linked").symlink_to(tmp_path)
    return folder


def check(place, model):
    (place / "m.onnx").write_bytes(model.SerializeToString())
    return external_files(read_onnx(str(place / "m.onnx")), str(place), "m.onnx")


def test_weights_in_a_plain_file_beside_the_network_are_found(place):
    assert check(place, outside("w.bin")) == {"w.bin"}


@pytest.mark.parametrize("inside_if", [False, True], ids=["graph", "branch"])
@pytest.mark.parametrize(
    ("location", "length", "offset", "sentence"),
    [
        ("../secret.bin", 12, None, "a path with detours"),
        ("a/../w.bin", 12, None, "a path with detours"),
        ("./w.bin", 12, None, "a path with detours"),
        ("/etc/hostname", 12, None, "an absolute path"),
        ("C:\\w.bin", 12, None, "an absolute path"),
        ("", 12, None, "an absolute path or none"),
        ("link.bin", 12, None, "a symbolic link"),
        ("linked/secret.bin", 12, None, "a symbolic link"),
        ("hard.bin", 12, None, "a hard link"),
        ("a", 0, None, "no regular file"),
        ("nothing.bin", 12, None, "is missing in the package"),
        ("w\0.bin", 12, None, "is missing in the package"),
        ("w.bin", 1 << 40, None, "is cut short"),
        ("w.bin", 12, 1 << 30, "is cut short"),
        ("w.bin", 12, -4, "is cut short"),
        ("w.bin", 12, "x", "no ONNX model"),
    ],
)
def test_weights_anywhere_else_are_refused_before_a_runtime_opens_the_file(
    place, location, length, offset, sentence, inside_if
):
    with pytest.raises(ModelError, match=sentence):
        check(place, outside(location, length, offset, inside_if))


def test_a_worker_does_not_open_a_network_whose_weights_have_no_hash(tmp_path):
    found = package(tmp_path / "p", outside("w.bin"), shape=(1, 3, 32, 32))
    shutil.copy(__file__, str(tmp_path / "p" / "w.bin"))
    with pytest.raises(ModelError, match=r"w\.bin, which has no SHA-256 in `files`"):
        load_runtime(found, -1)


@pytest.mark.parametrize(
    ("version", "limits"), [("1.19.2", (10, 21)), ("1.23.2", (11, 23)), ("1.32.0", (14, 28)),
                            ("1.40.1", (14, 28)), ("1.9.0", (8, 18))],
)  # fmt: skip
def test_what_a_runtime_takes_is_known_by_its_version(version, limits):
    assert limits_of(version) == limits


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"ir": 13}, r"IR version 13, ONNX Runtime 1\.19\.2 .* up to 10: export"),
        ({"opset": 23, "ir": 10}, "opset 23, .* up to 21: export it with opset_version=21"),
    ],
)
def test_a_network_too_new_is_refused_with_what_to_export_it_with(tmp_path, more, sentence):
    (tmp_path / "m.onnx").write_bytes(constant_net({"y": [[1.0]]}, **more).SerializeToString())
    with pytest.raises(ModelError, match=sentence):
        check_versions(read_onnx(str(tmp_path / "m.onnx")), "m.onnx", "1.19.2")


def test_operators_of_another_library_are_refused_by_name(tmp_path):
    node = helper.make_node("EfficientNMS_TRT", ["x"], ["y"], domain="trt")
    port = helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])
    model = helper.make_model(helper.make_graph([node], "g", [port], [out]))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="exported for TensorRT"):
        check_versions(read_onnx(str(tmp_path / "m.onnx")), "m.onnx", "1.32.0")


@pytest.mark.parametrize("content", [b"", b"\x00" * 50, b"PK\x03\x04", b"\xff" * 200, b"{}"])
def test_what_is_no_onnx_file_is_said_to_be_none(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.onnx is no ONNX model"):
        read_onnx(str(tmp_path / "m.onnx"))


def test_the_reader_reads_what_the_onnx_package_reads(tmp_path):
    """Independent party: onnx's own parser, on a network with a branch and names."""
    import onnx

    model = constant_net({"y": [[1.0, 2.0]], "z": [[[3.0]]]}, names="{0: 'a'}", stride=32)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    ours, theirs = read_onnx(str(tmp_path / "m.onnx")), onnx.load(str(tmp_path / "m.onnx"))
    assert [n.op for n in ours.nodes] == [n.op_type for n in theirs.graph.node]
    assert [p.name for p in ours.outputs] == [o.name for o in theirs.graph.output]
    assert ours.inputs[0].shape == (1, 3, 32, 32)
    assert ours.metadata == {p.key: p.value for p in theirs.metadata_props}
    assert ours.opsets == {"": 13}


@pytest.mark.parametrize("open_side", [-1, 0])
def test_an_open_side_may_be_written_as_no_number_of_pictures(tmp_path, open_side):
    model = constant_net({"y": [[1.0, 2.0]]})
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = open_side
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert read_onnx(str(tmp_path / "m.onnx")).inputs[0].shape == (None, 3, 32, 32)

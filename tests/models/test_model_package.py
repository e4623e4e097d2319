import io
import json
import re
import tarfile
import zipfile

import pytest

from lambdas.model.spec import ModelError
from models.package import inspect, pack, publish

MODEL = {
    "v": 1,
    "name": "tiny",
    "version": "1.0.0",
    "runtime": "mxnet",
    "task": "classification",
    "symbol": "tiny-symbol.json",
    "params": "tiny-0000.params",
    "input": {"shape": [1, 3, 8, 8]},
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tiny-symbol.json").write_text("{}")
    (tmp_path / "tiny-0000.params").write_bytes(b"weights")
    return tmp_path


def rewrite(path, **changed):
    """The same archive with some members' contents replaced, or left out for None."""
    with tarfile.open(path) as tar:
        content = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}
    content.update({name.replace("__", "-"): body for name, body in changed.items()})
    with tarfile.open(path, "w:gz") as tar:
        for name, body in content.items():
            if body is not None:
                entry = tarfile.TarInfo(name)
                entry.size = len(body)
                tar.addfile(entry, io.BytesIO(body))


def test_packing_the_same_files_twice_gives_the_same_bytes(folder):
    first = pack(folder, MODEL, folder / "a" / "m.tar.gz")
    (folder / "tiny-symbol.json").touch()
    second = pack(folder, MODEL, folder / "b" / "other.tar.gz")
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.key == second.key == f"models/tiny/1.0.0-{first.sha256}.tar.gz"


def test_every_file_that_is_named_is_hashed_and_found_again(folder):
    (folder / "NOTICE").write_text("thanks")
    packed = pack(folder, dict(MODEL, files=["NOTICE"]), folder / "m.tar.gz")
    assert set(packed.spec.files) == {"NOTICE", "tiny-symbol.json", "tiny-0000.params"}
    assert inspect(packed.path) == packed


def test_a_missing_file_is_named_before_anything_is_written(folder):
    (folder / "tiny-0000.params").unlink()
    with pytest.raises(ModelError, match=r"tiny-0000\.params is missing"):
        pack(folder, MODEL, folder / "m.tar.gz")
    assert not (folder / "m.tar.gz").exists()


@pytest.mark.parametrize(
    "content", [b"", b"no archive", b"\x1f\x8b\x08 broken", b"PK\x03\x04 broken"]
)
def test_what_is_not_an_archive_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "m.tar.gz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.tar\.gz is not a tar\.gz or zip archive"):
        inspect(path)


def test_an_archive_cut_short_is_refused(folder):
    path = pack(folder, MODEL, folder / "m.tar.gz").path
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ModelError, match="is not a tar"):
        inspect(path)


def test_a_changed_file_is_named_with_both_hashes(folder):
    path = pack(folder, MODEL, folder / "m.tar.gz").path
    rewrite(path, **{"tiny-0000.params": b"other"})
    with pytest.raises(
        ModelError, match=r"tiny-0000\.params has SHA-256 [0-9a-f]{64}, model\.json"
    ):
        inspect(path)


def test_a_file_that_the_archive_lacks_is_named(folder):
    path = pack(folder, MODEL, folder / "m.tar.gz").path
    rewrite(path, **{"tiny-symbol.json": None})
    with pytest.raises(ModelError, match=r"names tiny-symbol\.json, the archive has no such file"):
        inspect(path)


def test_a_zip_is_a_package_too(folder):
    path = pack(folder, MODEL, folder / "m.tar.gz").path
    with tarfile.open(path) as tar, zipfile.ZipFile(folder / "m.zip", "w") as archive:
        for entry in tar.getmembers():
            archive.writestr(entry.name, tar.extractfile(entry).read())
    assert inspect(folder / "m.zip").spec == inspect(path).spec


def test_a_sagemaker_artifact_is_accepted_as_it_is(folder):
    (folder / "hyperparams.json").write_text(json.dumps({"image_shape": "512", "num_classes": 2}))
    with tarfile.open(folder / "model.tar.gz", "w:gz") as tar:
        for name in ("tiny-symbol.json", "tiny-0000.params", "hyperparams.json"):
            tar.add(folder / name, "./" + name)
    spec = inspect(folder / "model.tar.gz").spec
    assert (spec.task, spec.input.shape) == ("ssd_detection", (1, 3, 512, 512))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"runtime": "caffe"}, "runtime is 'caffe'; use one of mxnet, onnxruntime"),
        ({"v": 2}, "v is 2"),
        ({"name": "../up"}, "name is '../up'"),
        ({"input": {"shape": [3, 8, 8]}}, "input.shape is"),
        ({"input": {"shape": [1, 3, 8, 8], "mean": [0, 0]}}, "use 3 number(s)"),
        ({"input": {"shape": [1, 3, 8, 8], "resize": "shorter_side_crop"}}, "resize_to is 0"),
        ({"runtime": "onnxruntime"}, "model is None"),
    ],
)
def test_a_wrong_manifest_is_refused_with_the_value_and_what_is_allowed(folder, change, message):
    with pytest.raises(ModelError, match=re.escape(message)):
        pack(folder, dict(MODEL, **change), folder / "m.tar.gz")


def test_publishing_twice_uploads_once_and_gives_the_same_uri(folder):
    boto3 = pytest.importorskip("boto3")
    moto = pytest.importorskip("moto")
    packed = pack(folder, MODEL, folder / "m.tar.gz")
    with moto.mock_aws():
        client = boto3.client(
            "s3", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
        )
        client.create_bucket(Bucket="greengrass-models")
        uri = publish(packed.path, "greengrass-models", client)
        before = client.head_object(Bucket="greengrass-models", Key=packed.key)["LastModified"]
        assert publish(packed.path, "greengrass-models", client) == uri
        found = client.get_object(Bucket="greengrass-models", Key=packed.key)
    assert uri == f"s3://greengrass-models/{packed.key}"
    assert found["LastModified"] == before
    assert found["Body"].read() == packed.path.read_bytes()

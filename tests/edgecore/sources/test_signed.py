"""A device whose profile names a key takes only models that were signed with its other half."""

import base64
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from edgecore.disk.archive import extract
from edgecore.sources.errors import SourceError
from edgecore.sources.signed import check_signature, model_keys
from models.package import pack
from models.signing import is_signed, new_key, public_key, sign

MODEL = {
    "v": 1, "name": "m", "version": "1", "runtime": "noop", "task": "classification",
    "input": {"shape": [1, 3, 8, 8]},
}  # fmt: skip


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Path, str]:
    """A signed package, unpacked as the core does it, and the public key."""
    new_key(tmp_path / "key.pem")
    made = pack(tmp_path, MODEL, tmp_path / "m.tar.gz")
    sign(made.path, tmp_path / "key.pem", tmp_path / "signed.tar.gz")
    extract(tmp_path / "signed.tar.gz", tmp_path / "model")
    return tmp_path / "model", public_key(tmp_path / "key.pem")


def test_a_signed_model_is_taken_and_openssl_agrees(signed, tmp_path) -> None:
    folder, key = signed
    check_signature("model 'm'", folder, (key,))
    assert is_signed(tmp_path / "signed.tar.gz", key)
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0

    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    raw = tmp_path / "raw.sig"
    raw.write_bytes(base64.b64decode((folder / "model.json.sig").read_bytes()))
    command = ["openssl", "pkeyutl", "-verify", "-inkey", tmp_path / "key.pem", "-rawin",
               "-in", folder / "model.json", "-sigfile", raw]  # fmt: skip
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("wrong", ["changed", "unsigned", "other key", "no key"])
def test_any_other_model_is_refused_with_the_remedy(signed, tmp_path, wrong: str) -> None:
    folder, key = signed
    if wrong == "changed":
        model = json.loads((folder / "model.json").read_bytes())
        (folder / "model.json").write_text(json.dumps({**model, "threshold": 0.0}))
    elif wrong == "unsigned":
        (folder / "model.json.sig").unlink()
    elif wrong == "other key":
        new_key(tmp_path / "other.pem")
        key = public_key(tmp_path / "other.pem")
    else:
        key = "c29ycnk="
    with pytest.raises(SourceError, match=r"model 'm': .* sign it with `fanfold model sign`"):
        check_signature("model 'm'", folder, (key,))


def test_keys_are_those_of_the_groups_functions() -> None:
    def function(**variables: str) -> dict:
        return {"FunctionConfiguration": {"Environment": {"Variables": variables}}}

    document = {"Functions": [function(FANFOLD_MODEL_KEY="k"), function(), {}]}
    assert model_keys(document) == ("k",)
    assert model_keys({"Functions": [function()]}) == ()
    check_signature("model 'm'", Path("nowhere"), ())

"""A site's own code is checked here and travels in the functions' zip."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from infra.hooks import hook_files
from infra.packaging import build_lambdas
from infra.planning import InvalidInput

GOOD = "def transform(image):\n    return image\n"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_module_travels_in_the_zip_beside_the_lambdas(tmp_path):
    folder = write(tmp_path, {"press.py": GOOD, "other.py": "x = 1"})

    built = build_lambdas(tmp_path / "code.zip", hooks=hook_files("press", folder))

    with zipfile.ZipFile(built) as archive:
        names = archive.namelist()
        assert archive.read("press.py").decode() == GOOD
    assert "lambdas/inference/handler.py" in names
    assert "other.py" not in names


def test_a_package_travels_whole(tmp_path):
    files = {"acme/__init__.py": "", "acme/hooks.py": GOOD, "acme/light/gain.py": "GAIN = 2\n"}

    assert set(hook_files("acme.hooks", write(tmp_path, files))) == set(files)


@pytest.mark.parametrize(
    ("module", "files", "words"),
    [
        ("press", {}, "is not in"),
        ("acme.hooks", {"acme/__init__.py": ""}, "is not in"),
        ("press", {"press.py": "def transfrom(image):\n    return image\n"}, "defines neither"),
        ("press", {"press.py": "def transform(image)\n"}, "press.py:1"),
        ("press", {"press.py": GOOD + "match 1:\n    case 1: pass\n"}, "Python 3.8"),
        ("lambdas", {"lambdas.py": GOOD}, "part of Fanfold"),
    ],
)
def test_what_cannot_run_on_the_device_is_a_finding(tmp_path, module, files, words):
    with pytest.raises(InvalidInput) as raised:
        hook_files(module, write(tmp_path, files))

    assert words in str(raised.value.findings[0])


def test_another_hook_is_another_zip(tmp_path):
    def built(name: str, text: str) -> bytes:
        files = hook_files("press", write(tmp_path / name, {"press.py": text}))
        return build_lambdas(tmp_path / f"{name}.zip", hooks=files).read_bytes()

    assert built("a", GOOD) == built("b", GOOD)
    assert built("c", GOOD + "# new\n") != built("a", GOOD)

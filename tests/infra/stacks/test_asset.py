"""The functions' archive is a function of their code and of nothing else."""

from __future__ import annotations

import os
import zipfile

from infra.packaging import build_deployer, build_lambdas, write_zip


def test_the_same_code_gives_the_same_bytes_whatever_the_files_dates(tmp_path):
    code = tmp_path / "lambdas"
    (code / "splitter").mkdir(parents=True)
    for name in ("b.py", "a.py", "splitter/handler.py"):
        (code / name).write_text(f"# {name}\n")
    first = build_lambdas(tmp_path / "1.zip", code).read_bytes()
    for number, path in enumerate(sorted(code.rglob("*.py"))):
        os.utime(path, (number, number))

    assert build_lambdas(tmp_path / "2.zip", code).read_bytes() == first


def test_changed_code_gives_other_bytes(tmp_path):
    file = tmp_path / "a.py"
    file.write_text("1")
    first = write_zip(tmp_path / "1.zip", {"a.py": file}).read_bytes()
    file.write_text("2")

    assert write_zip(tmp_path / "2.zip", {"a.py": file}).read_bytes() != first


def test_the_archive_holds_the_lambdas_under_their_name_and_the_sdk(tmp_path):
    with zipfile.ZipFile(build_lambdas(tmp_path / "code.zip")) as archive:
        names = archive.namelist()

    assert {"lambdas/__init__.py", "greengrasssdk/__init__.py"} <= set(names)
    assert names == sorted(names)


def test_compiled_files_stay_out(tmp_path):
    cache = tmp_path / "lambdas" / "__pycache__"
    cache.mkdir(parents=True)
    (cache / "a.cpython-38.py").write_text("")
    (tmp_path / "lambdas" / "a.pyc").write_text("")

    with zipfile.ZipFile(build_lambdas(tmp_path / "c.zip", tmp_path / "lambdas")) as archive:
        assert not [name for name in archive.namelist() if name.startswith("lambdas/")]


def test_the_deployers_archive_is_its_one_module(tmp_path):
    with zipfile.ZipFile(build_deployer(tmp_path / "d.zip")) as archive:
        assert archive.namelist() == ["handler.py"]

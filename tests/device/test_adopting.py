"""A version out of components' artifacts outlives them, and runs as a virtual environment does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_disks import small_disk_at

from device.bundle.runtime_zip import pack
from device.bundle.target import Target
from device.component.adopting import AdoptError, adopt, prune, why
from device.versions.record import Versions

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


def artifacts(folder: Path, name: str = "a", python: str = PYTHON) -> tuple[Path, Path]:
    """Core and Runtime as a nucleus unpacks them."""
    core, runtime = folder / f"core-{name}", folder / f"runtime-{name}"
    (core / "lib" / "corepart").mkdir(parents=True)
    (core / "lib" / "corepart" / "__init__.py").write_text(f"NAME = {name!r}\n")
    (runtime / "site" / "librarypart").mkdir(parents=True)
    (runtime / "site" / "librarypart" / "__init__.py").write_text("")
    facts = {"v": 1, "python": python, "paths": ["site"]}
    (runtime / "runtime.json").write_text(json.dumps(facts))
    return core, runtime


def test_an_adopted_version_runs_when_the_nucleus_has_deleted_its_artifacts(tmp_path: Path) -> None:
    core, runtime = artifacts(tmp_path / "artifacts")
    version = adopt(core, runtime, tmp_path / "work")
    shutil.rmtree(tmp_path / "artifacts")

    python = tmp_path / "work" / "versions" / version / "bin" / "python"
    code = "import corepart, librarypart; print(corepart.NAME)"
    done = subprocess.run(
        [str(python), "-c", code], capture_output=True, text=True, cwd="/", check=True
    )
    assert done.stdout.strip() == "a"


def test_the_same_artifacts_are_the_same_version_and_other_ones_another(tmp_path: Path) -> None:
    first = artifacts(tmp_path / "artifacts")
    other = artifacts(tmp_path / "artifacts", "b")
    work = tmp_path / "work"
    assert adopt(*first, work) == adopt(*first, work) != adopt(*other, work)


def test_only_what_may_run_again_is_kept(tmp_path: Path) -> None:
    work = tmp_path / "work"
    names = [adopt(*artifacts(tmp_path / "artifacts", n), work) for n in ("a", "b", "c")]
    prune(work, Versions(proved=names[1], trial=names[2]))
    assert {p.name for p in (work / "versions").iterdir()} == set(names[1:])
    assert len(list((work / "runtimes").iterdir())) == 2


def test_a_version_for_which_there_is_no_room_takes_none(tmp_path: Path) -> None:
    with small_disk_at(tmp_path / "work", 3) as work:
        with pytest.raises(OSError, match="No space left") as full:
            adopt(*artifacts(tmp_path / "artifacts"), work)
        assert why(full.value) == "No space left on device"
        assert [path for path in work.rglob("*") if path.is_file()] == []


def test_libraries_for_another_python_are_refused_with_the_command(tmp_path: Path) -> None:
    core, runtime = artifacts(tmp_path / "artifacts", python="3.99")
    with pytest.raises(AdoptError, match=rf"Python 3\.99, this is {PYTHON}.*--python {PYTHON}"):
        adopt(core, runtime, tmp_path / "work")


def test_a_runtime_archive_is_the_same_for_the_same_folder(tmp_path: Path) -> None:
    _, runtime = artifacts(tmp_path / "artifacts")
    target = Target("x86_64", "3.11", "onnxruntime")
    one, two = (pack(target, runtime / "site", tmp_path / n) for n in ("one", "two"))
    assert one.path.name == two.path.name
    assert one.path.read_bytes() == two.path.read_bytes()


def test_what_is_kept_of_protected_artifacts_can_be_removed_by_its_owner(tmp_path: Path) -> None:
    core, runtime = artifacts(tmp_path / "artifacts")
    for folder in (tmp_path / "artifacts").rglob("*"):
        folder.chmod(0o555 if folder.is_dir() else 0o444)
    work = tmp_path / "work"
    adopt(core, runtime, work)

    folders = [path for path in work.rglob("*") if path.is_dir() and not path.is_symlink()]
    assert all(path.stat().st_mode & 0o200 for path in folders)
    for folder in (tmp_path / "artifacts").rglob("*"):
        folder.chmod(0o755)

"""Where a function's byte code lies."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from checkout import PROJECT
from core_site import DEVICE_PYTHON
from waiting import eventually

SOURCE = """
import json, os, subprocess, sys, threading
import greengrasssdk
sys.path.append(os.environ["PACKAGES"])
import helper, compiled, bare
subprocess.run([sys.executable, "-c", "import of_the_child"], check=True)
iot = greengrasssdk.client("iot-data")
threading.Timer(0.2, lambda: iot.publish(topic="up", payload=json.dumps({}))).start()
def handler(e, c): pass
"""


def test_what_a_function_compiles_is_kept_apart_and_what_is_compiled_is_not_again(site) -> None:
    packages = site.folder / "packages"
    packages.mkdir()
    (packages / "compiled.py").write_text("")
    subprocess.run([DEVICE_PYTHON, "-m", "compileall", "-q", packages], check=True)
    (packages / "bare.py").write_text("")
    site.function("a", SOURCE, variables={"PACKAGES": str(packages)})
    code = site.folder / "code" / "a"
    for name in ("helper.py", "of_the_child.py"):
        (code / name).write_text("")
    site.connect("a", "up", "cloud")
    (site.state / "pycache").mkdir(parents=True)  # not the one of other tests' cores
    site.start()

    eventually(site.cloud, "a record")

    kept = {path.name.partition(".")[0] for path in site.state.rglob("*.pyc")}
    assert kept >= {"main", "helper", "bare", "of_the_child"}
    assert "compiled" not in kept
    places = {path.relative_to(site.state).parts[0] for path in site.state.rglob("*.pyc")}
    assert places == {"pycache"}  # one for all functions of this user
    assert not [*code.rglob("*.pyc")]
    assert [p.name.partition(".")[0] for p in packages.rglob("*.pyc")] == ["compiled"]


IMPORTING = """
import sys
code, kept = sys.argv[1:]
sys.path[:0] = [code, {provided!r}]
from fanfold_runtime import byte_code
compiled = byte_code.marshal.dumps
byte_code.marshal.dumps = lambda code: print("compiled", code.co_filename) or compiled(code)
byte_code.keep_apart(code, kept)
import asked
print("runs", asked.where())
"""
ASKED = """
import sys
def where(): return sys._getframe().f_code.co_filename
"""


def imported(code: Path, kept: Path) -> list[str]:
    """What a function of that code says that imports `asked`."""
    script = IMPORTING.format(provided=str(PROJECT / "edgecore/runtime/provided"))
    command = [DEVICE_PYTHON, "-c", script, code, kept]
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout.split("\n")


def deployed(folder: Path, source: str = ASKED) -> Path:
    folder.mkdir()
    (folder / "asked.py").write_text(source)
    return folder


def test_a_module_that_a_new_deployment_left_as_it_was_is_not_compiled_again(
    tmp_path: Path,
) -> None:
    first, second = deployed(tmp_path / "first"), deployed(tmp_path / "second")

    assert imported(first, tmp_path / "kept")[0] == f"compiled {first}/asked.py"
    said = imported(second, tmp_path / "kept")

    assert said[0] == f"runs {second}/asked.py"


def test_a_module_that_a_new_deployment_changed_is_compiled(tmp_path: Path) -> None:
    first = deployed(tmp_path / "first")
    second = deployed(tmp_path / "second", ASKED.replace("co_filename", "co_name"))

    imported(first, tmp_path / "kept")

    assert imported(second, tmp_path / "kept")[:2] == [f"compiled {second}/asked.py", "runs where"]


@pytest.mark.parametrize("left", [0, 8, 16, 40, 100])
def test_byte_code_that_a_power_cut_left_unwritten_is_made_again(tmp_path: Path, left: int) -> None:
    code, kept = deployed(tmp_path / "code"), tmp_path / "kept"
    imported(code, kept)
    [file] = kept.rglob("asked.*.pyc")
    whole = file.read_bytes()

    file.write_bytes(whole[:left])
    imported(code, kept)
    file.write_bytes(whole[:left] + bytes(len(whole) - left))
    said = imported(code, kept)

    assert said[1] == f"runs {code}/asked.py"
    assert file.read_bytes() == whole

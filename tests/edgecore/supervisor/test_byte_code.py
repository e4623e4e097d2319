"""Where a function's byte code lies."""

from __future__ import annotations

import subprocess

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
    site.start()

    eventually(site.cloud, "a record")

    kept = {path.name.partition(".")[0] for path in site.state.rglob("*.pyc")}
    assert kept >= {"main", "helper", "bare", "of_the_child"}
    assert "compiled" not in kept
    places = {path.relative_to(site.state).parts[0] for path in site.state.rglob("*.pyc")}
    assert places == {"pycache"}  # one for all functions of this user
    assert not [*code.rglob("*.pyc")]
    assert [p.name.partition(".")[0] for p in packages.rglob("*.pyc")] == ["compiled"]

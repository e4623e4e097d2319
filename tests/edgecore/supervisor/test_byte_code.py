"""Where a function's byte code lies."""

from __future__ import annotations

from waiting import eventually

SOURCE = """
import json, subprocess, sys, threading
import greengrasssdk
import helper, numpy
subprocess.run([sys.executable, "-c", "import another"], check=True)
iot = greengrasssdk.client("iot-data")
tell = lambda: iot.publish(topic="up", payload=json.dumps({"numpy": numpy.__cached__}))
threading.Timer(0.2, tell).start()
def handler(e, c): pass
"""


def test_a_functions_own_byte_code_is_kept_apart_and_packages_keep_theirs(site) -> None:
    site.function("a", SOURCE)
    code = site.folder / "code" / "a"
    for name in ("helper.py", "another.py"):
        (code / name).write_text("")
    site.connect("a", "up", "cloud")
    site.start()

    (told,) = eventually(site.cloud, "a record")

    assert "site-packages" in told["payload"]["numpy"]
    assert str(site.folder) not in told["payload"]["numpy"]
    kept = {path.name.partition(".")[0] for path in site.state.rglob("*.pyc")}
    assert {"main", "helper", "another"} <= kept
    assert "numpy" not in {path.parent.name for path in site.state.rglob("*.pyc")}
    assert not [*code.rglob("*.pyc")]

"""Every system call of the spool fails once, and what was taken is still delivered."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from faulty_calls import FaultyCalls

ROOT = Path(__file__).resolve().parents[3]


def in_faulty_process(calls: FaultyCalls, *arguments: str) -> list[dict[str, object]]:
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests/kit")))
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **calls.environment, "PYTHONPATH": paths},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("stride", [23, pytest.param(1, marks=pytest.mark.soak)])
def test_whichever_system_call_fails_once_nothing_taken_is_lost_or_miscounted(
    tmp_path: Path, stride: int
) -> None:
    calls = FaultyCalls(tmp_path / "faults")
    script = ROOT / "tests/kit/edgecore/spool_faults.py"
    *problems, summary = in_faulty_process(calls, str(script), str(tmp_path), str(stride))

    assert problems == []
    assert summary["runs"] >= 3 * 100 / stride


DISK_FAILS = """
import json, sys
from pathlib import Path
from faulty_calls import FaultyCalls
from edgecore.uplink.spool_store import SpoolStore
folder, error = Path(sys.argv[1]), int(sys.argv[2])
(folder / "spool").mkdir()
calls = FaultyCalls(folder / "faults")
store = SpoolStore(folder / "spool/s", max_bytes=1 << 20, policy="drop_oldest")
said = [store.commit([("t", b"before")])]
calls.always(folder / "spool", error, "write,fsync")
said.append(store.commit([("t", b"meanwhile")] * 2))
said.append(store.commit([("t", b"meanwhile")]))
calls.none()
said.append(store.commit([("t", b"after")]))
print(json.dumps({"said": said, "refused": store.account.refused, "put": store.account.put,
                  "dropped": store.account.dropped,
                  "kept": [m.payload.decode() for m in store.peek(9, 999)]}))
"""


def test_a_disk_with_errors_refuses_what_is_new_by_its_true_reason_until_it_works_again(
    tmp_path: Path,
) -> None:
    calls = FaultyCalls(tmp_path / "faults")
    [found] = in_faulty_process(calls, "-c", DISK_FAILS, str(tmp_path), str(errno.EIO))

    assert found["said"] == [[None], ["disk_error"] * 2, ["disk_error"], [None]]
    assert found["refused"] == {"disk_error": 3}
    assert found["dropped"] == {}
    assert found["kept"] == ["before", "after"]

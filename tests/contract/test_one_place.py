"""What several parts share stands in `contract` and nowhere else.

The modules that a Lambda of somebody else gets from the core (`edgecore/runtime/provided`) come
without `contract`: their literals are compared instead.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from contract import limits

ROOT = Path(__file__).parents[2]
PROVIDED = ROOT / "edgecore" / "runtime" / "provided"
PARTS = ("infra", "edgecore", "lambdas", "fanfold", "devcloud", "bench", "models")
SHARED = {
    "the size of a message": r"\b131_?072\b|\b128 ?<< ?10\b",
    "a kind of image": r"\\xff\\xd8|\\x89PNG|b\"RIFF|b\"BM\"",
    "a path of our own in the images volume": r"[\"']\.fanfold/inbox",
    "a topic": r"/(accepted|rejected)[\"']|\}/(images|results|late|control|stats|work)[/\"']",
}
#: Where a match means something else.
OTHERS = {
    ("infra/planning/sizing.py", "the size of a message"),  # kilobytes of memory
    ("fanfold/verbs/init.py", "a topic"),  # a folder of the device
    # AWS IoT's own answers below $aws/things:
    ("edgecore/core/shadows.py", "a topic"),
    ("edgecore/jobs/cloud.py", "a topic"),
    ("edgecore/uplink/iot/shadow_sync.py", "a topic"),
    ("devcloud/iot/jobs/device.py", "a topic"),
    ("devcloud/iot/shadows/service.py", "a topic"),
}


def sources() -> list[Path]:
    found = [path for part in PARTS for path in (ROOT / part).rglob("*.py")]
    return [path for path in found if PROVIDED not in path.parents and "cdk.out" not in path.parts]


@pytest.mark.parametrize("what", sorted(SHARED))
def test_no_part_writes_it_down_for_itself(what):
    files = sources()
    found = [
        name
        for path in files
        if re.search(SHARED[what], path.read_text(encoding="utf-8"))
        and ((name := path.relative_to(ROOT).as_posix()), what) not in OTHERS
    ]

    assert len(files) > 200
    assert found == []


def test_the_provided_runtime_has_the_same_message_limit(monkeypatch):
    monkeypatch.syspath_prepend(str(PROVIDED))
    sys.modules.pop("fanfold_runtime.calls", None)
    from fanfold_runtime import calls

    assert limits.MESSAGE_BYTES.value == calls.MAX_BODY_BYTES

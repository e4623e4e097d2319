"""A stand-in nucleus as a process of its own, which can be killed.

`python nucleus_process.py FILE`; FILE holds `{"root", "thing", "files": {URI: PATH}, "recipes",
"hold"}`. It starts what was deployed here until then, deploys, writes `FILE.ended`, and ends by
SIGTERM. `hold` names where it stops for ever: `download` (of the last artifact), `install` (all are
installed, nothing is exchanged yet) or `exchange` (before the last component's); `FILE.held` says
that it is there.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from devcloud.nucleus import Failed, Nucleus
from devcloud.nucleus.running import Running


class Held(Nucleus):
    """`given`: the content of FILE."""

    def __init__(self, given: Mapping[str, Any], file: Path) -> None:
        self._given, self._file = given, file
        super().__init__(Path(given["root"]), given["thing"], self._fetched)

    def _fetched(self, uri: str) -> bytes:
        if self._given["hold"] == "download" and uri == list(self._given["files"])[-1]:
            self._stay()
        return Path(self._given["files"][uri]).read_bytes()

    def _replace(self, each: Running) -> None:
        last = self._given["recipes"][-1]["ComponentName"]
        if self._given["hold"] == "install":
            self._stay()
        if self._given["hold"] == "exchange" and each.component.name == last:
            self._stay()
        super()._replace(each)

    def _stay(self) -> NoReturn:
        self._file.with_suffix(".held").touch()
        while True:
            signal.pause()


def main() -> None:
    file = Path(sys.argv[1])
    given = json.loads(file.read_text())
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with Held(given, file) as nucleus:
        nucleus.start()
        try:
            nucleus.deploy(given["recipes"])
            said = "SUCCEEDED"
        except Failed as error:
            said = f"FAILED {error}"
        outcome = file.with_suffix(".part")
        outcome.write_text(json.dumps({"said": said, "states": nucleus.states()}))
        outcome.rename(file.with_suffix(".ended"))
        while not ended.wait(0.1):
            states = file.with_suffix(".part")
            states.write_text(json.dumps(nucleus.states()))
            states.rename(file.with_suffix(".states"))


if __name__ == "__main__":
    main()

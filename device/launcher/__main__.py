"""`python run_launcher.py --site SITE`: what the systemd unit starts (docs/spec/launcher.md)."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Any

from device.launcher.launcher import READY_S, Launcher, Settings
from device.versions.record import VersionsError


def main() -> int:
    """Exit code 0 after SIGTERM; 2: a file of the installation is wrong."""
    parser = argparse.ArgumentParser("launcher", description="Start the core, for ever.")
    parser.add_argument("--config", type=Path, required=True, help="SITE.json of the installer")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        launcher = Launcher(_settings(parser.parse_args().config))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: launcher.stop())
        launcher.run()
    except (VersionsError, OSError, ValueError, KeyError) as error:
        logging.getLogger("launcher").error("%s", error)  # noqa: TRY400
        return 2
    return 0


def _settings(path: Path) -> Settings:
    content: Any = json.loads(path.read_text(encoding="utf-8"))
    return Settings(
        folder=Path(content["launcher"]),
        versions=Path(content["versions"]),
        state=Path(content["state"]),
        arguments=[str(each) for each in content["arguments"]],
        ready_s=float(content.get("ready_s", READY_S)),
    )


if __name__ == "__main__":
    sys.exit(main())

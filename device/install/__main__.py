"""`./install.sh --site line-3.join`: everything that a device needs, from the unpacked bundle."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from device.install import steps
from device.install.joining import JoinError, read_join
from device.install.layout import Layout
from device.install.version import BundleError
from device.launcher.versions import VersionsError


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser("install.sh", description="Install Fanfold on this device.")
    add = arguments.add_argument
    add("--bundle", type=Path, required=True, help=argparse.SUPPRESS)
    add("--site", type=Path, required=True, metavar="FILE.join", help="fanfold provision wrote it")
    add("--root", type=Path, default=Path("/"), metavar="DIR", help="install into an image")
    add("--group", metavar="SOURCE", help="start with this group; default: wait for a deployment")
    add("--containers", action="store_true", help="functions of the group run in containers")
    add("--no-start", action="store_true", help="install only")
    add("core", nargs="*", help="after --: more arguments for the core")
    return arguments


def main() -> int:
    """Exit code 0: installed; 1: a step failed; 2: wrong input."""
    given = parser().parse_args()
    layout = Layout(root=given.root.absolute())
    if str(layout.root) == "/" and os.geteuid() != 0:
        print("install.sh: needs root (it makes a user and a service): sudo ./install.sh …")
        return 2
    try:
        install(given, layout)
    except JoinError as error:
        print(f"install.sh: {error}", file=sys.stderr)
        return 2
    except (BundleError, steps.StepError, VersionsError, OSError) as error:
        print(f"install.sh: {error}", file=sys.stderr)
        return 1
    return 0


def install(given: argparse.Namespace, layout: Layout) -> None:
    """Raises JoinError, BundleError, StepError, VersionsError, OSError."""
    join = read_join(given.site)
    name = str(join["site"])
    uid = steps.make_user(layout)
    steps.copy_programs(given.bundle, layout)
    own = steps.make_folders(join, layout)
    steps.write_settings(join, given.site, given.group, given.core, layout)
    version = steps.add_version(given.bundle, name, layout)
    steps.write_units(given.bundle, join, layout, containers=given.containers)
    steps.give(uid, [*own, layout.join(name)], layout)
    print(f"installed: core {version} for site {name}, thing {join['thing']}")
    if given.no_start:
        print(f"start it: systemctl enable --now fanfold@{name}")
    elif steps.start(name, layout):
        print(f"started: systemctl status fanfold@{name}; logs: journalctl -u fanfold@{name}")
    else:
        print("not started: no systemd runs here")


if __name__ == "__main__":
    sys.exit(main())

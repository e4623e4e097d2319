"""`./install.sh --site line-3.join`: everything that a device needs, from the unpacked bundle.

`./install.sh --csr line-3-core` comes before it where the key shall never leave the device.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from device.install import steps
from device.install.joining import JoinError, check_thing, read_join, volumes_of
from device.install.layout import Layout
from device.install.request import RequestError, adopt_key, make_request, next_key
from device.versions.installing import BundleError, install_version
from device.versions.record import VersionsError


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser("install.sh", description="Install Fanfold on this device.")
    add = arguments.add_argument
    add("--bundle", type=Path, required=True, help=argparse.SUPPRESS)
    what = arguments.add_mutually_exclusive_group(required=True)
    what.add_argument("--site", type=Path, metavar="FILE.join", help="fanfold provision wrote it")
    what.add_argument(
        "--csr", metavar="THING", help="make this device's key, and THING.csr to certify it"
    )
    add("--new-key", action="store_true", help="with --csr: even where there is a key")
    add("--root", type=Path, default=Path("/"), metavar="DIR", help="install into an image")
    add("--group", metavar="SOURCE", help="start with this group; default: wait for a deployment")
    add("--containers", action="store_true", help="functions of the group run in containers")
    add(
        "--function-user",
        nargs="?",
        const="ggc_user",
        metavar="USER",
        help="functions run as this user, ggc_user by default, and the core as root",
    )
    add("--no-start", action="store_true", help="install only")
    add("core", nargs="*", help="after --: more arguments for the core")
    return arguments


def main() -> int:
    """Exit code 0: installed; 1: a step failed; 2: wrong input."""
    given = parser().parse_args()
    layout = Layout(root=given.root.absolute())
    if given.containers and given.function_user:
        print(
            "install.sh: --function-user goes without --containers: a container that is another "
            "user's needs the right to mount, which the unit does not give",
            file=sys.stderr,
        )
        return 2
    if str(layout.root) == "/" and os.geteuid() != 0:
        print("install.sh: needs root (it makes a user and a service): sudo ./install.sh …")
        return 2
    try:
        request(given, layout) if given.csr else install(given, layout)
    except JoinError as error:
        print(f"install.sh: {error}", file=sys.stderr)
        return 2
    except (BundleError, RequestError, steps.StepError, VersionsError, OSError) as error:
        print(f"install.sh: {error}", file=sys.stderr)
        return 1
    return 0


def request(given: argparse.Namespace, layout: Layout) -> None:
    """A key in /etc/fanfold, 0600, and its request in this folder. Raises as `install` does."""
    thing = check_thing(given.csr)
    owner = steps.make_user(layout)
    if owner:
        steps.refuse_unreachable_interpreter(owner)
    version = install_version(given.bundle, layout.on(layout.versions))
    key = layout.key(thing)
    if given.new_key and layout.on(key).exists():
        key = next_key(key)
    layout.on(layout.settings).mkdir(mode=0o755, parents=True, exist_ok=True)
    made = Path.cwd() / f"{thing}.csr"
    python = layout.on(layout.versions) / version / "bin" / "python"
    fresh = make_request(python, thing, layout.on(key), made, anew=given.new_key)
    steps.give(owner, [key], layout)
    print(f"{'made' if fresh else 'kept'}: the key of {thing}, {layout.on(key)}; it stays here")
    print(f"request: {made}; certify it at the workplace: fanfold provision SITE --csr {made.name}")


def install(given: argparse.Namespace, layout: Layout) -> None:
    """Raises JoinError, BundleError, StepError, VersionsError, OSError."""
    join = read_join(given.site)
    key = adopt_key(join, given.site, layout)
    name = str(join["site"])
    owner = steps.make_user(layout)
    functions = None
    if given.function_user:
        functions = steps.make_function_user(given.function_user, layout)
    if owner:  # else an image is made, which has users and interpreter of its own
        steps.refuse_unreachable_interpreter(owner, functions)
    if functions:
        owner = (0, 0)
    steps.copy_programs(given.bundle, layout)
    own = steps.make_folders(join, layout, passable=functions is not None)
    extra = ["--function-user", given.function_user] if functions else []
    steps.write_settings(join, given.site, given.group, [*extra, *given.core], layout)
    version = steps.add_version(given.bundle, name, layout)
    steps.write_units(given.bundle, join, layout, _loosened(given))
    keys = [layout.key(str(join["thing"]))] if key else []
    steps.give(owner, [*own, layout.join(name), *keys], layout)
    steps.give(functions or owner, map(Path, volumes_of(join).values()), layout)
    print(f"installed: core {version} for site {name}, thing {join['thing']}")
    if given.no_start:
        print(f"start it: systemctl enable --now fanfold@{name}")
    elif steps.start(name, layout):
        print(f"started: systemctl status fanfold@{name}; logs: journalctl -u fanfold@{name}")
    else:
        print("not started: no systemd runs here")


def _loosened(given: argparse.Namespace) -> list[str]:
    wanted = {steps.CONTAINERS: given.containers, steps.FUNCTIONS: given.function_user}
    return [name for name, asked in wanted.items() if asked]


if __name__ == "__main__":
    sys.exit(main())

"""The steps of an installation, each of which may run again: a half-done one is completed."""

from __future__ import annotations

import grp
import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from device.install.joining import volumes_of
from device.install.layout import Layout
from device.versions.installing import install_version, interpreter
from device.versions.record import read, write, write_durably

USER = "fanfold"
FUNCTION_GROUP = {"ggc_user": "ggc_group"}
"""Greengrass's own names: its user's group has another name than the user."""
Owner = tuple[int, int]
"""uid and gid."""
CONTAINERS, FUNCTIONS = LOOSENED = ("containers.conf", "functions.conf")
"""What a unit may do more, each with an option of the installer."""

HIDDEN = ("/home", "/root", "/run/user")
"""What the unit's ProtectHome hides from the service."""
_OTHER_PYTHON = "FANFOLD_PYTHON=/usr/bin/python3.N ./install.sh … names another"


class StepError(Exception):
    """A step failed; what, and the remedy, in one line."""


def make_user(layout: Layout) -> Owner | None:
    """The service's own user; None where the files stay with whoever installs (`--root`)."""
    if str(layout.root) != "/":
        return None
    try:
        return _owner(USER)
    except KeyError:
        command = ["useradd", "--system", "--user-group", "--home-dir", str(layout.data)]
        _run([*command, "--no-create-home", "--shell", "/usr/sbin/nologin", USER])
        return _owner(USER)


def _owner(name: str) -> Owner:
    found = pwd.getpwnam(name)
    return found.pw_uid, found.pw_gid


def make_function_user(name: str, layout: Layout) -> Owner:
    """Whom functions run as, made where it is not there. Raises StepError."""
    if str(layout.root) != "/":
        raise StepError("--function-user makes a user on this device and goes without --root")
    group = FUNCTION_GROUP.get(name, name)
    try:
        gid = grp.getgrnam(group).gr_gid
    except KeyError:
        _run(["groupadd", "--system", group])
        gid = grp.getgrnam(group).gr_gid
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        command = ["useradd", "--system", "--gid", group, "--home-dir", "/nonexistent"]
        _run([*command, "--no-create-home", "--shell", "/usr/sbin/nologin", name])
        uid = pwd.getpwnam(name).pw_uid
    if 0 in (uid, gid):
        raise StepError(f"--function-user {name}: is root (uid {uid}, gid {gid}); name another")
    return uid, gid


def refuse_unreachable_interpreter(*users: Owner | None) -> None:
    """Raises StepError where one of these users cannot run the interpreter that runs this."""
    python = interpreter()
    hidden = next((home for home in HIDDEN if Path(home) in Path(python).parents), None)
    if hidden:
        raise StepError(f"{python}: the service sees nothing of {hidden}; {_OTHER_PYTHON}")
    for uid, gid in filter(None, users):
        try:
            subprocess.run([python, "-V"], user=uid, group=gid, extra_groups=[], check=True,
                           stdout=subprocess.DEVNULL)  # fmt: skip
        except (OSError, subprocess.CalledProcessError) as error:
            name = pwd.getpwuid(uid).pw_name
            raise StepError(f"{python}: user {name} cannot run it; {_OTHER_PYTHON}") from error


def copy_programs(bundle: Path, layout: Layout) -> None:
    """Launcher, installer and uninstaller: root's, which the service can read and not change."""
    target = layout.on(layout.programs)
    draft = target.with_name(f".{target.name}.new")
    shutil.rmtree(str(draft), ignore_errors=True)
    draft.mkdir(parents=True)
    shutil.copytree(str(bundle / "lib"), str(draft / "lib"))
    shutil.copy(str(bundle / "uninstall.sh"), str(draft / "uninstall.sh"))
    shutil.rmtree(str(target), ignore_errors=True)
    draft.replace(target)


def make_folders(join: dict[str, Any], layout: Layout, *, passable: bool = False) -> list[Path]:
    """Folders of the service, 0700; those that it shall own, without the volumes.

    `passable`: functions of another user reach their own folders and the interpreter.
    """
    site = layout.site(str(join["site"]))
    above = [layout.data, layout.data / "sites", site]
    private = [site / "core", site / "launcher", *map(Path, volumes_of(join).values())]
    modes = dict.fromkeys(above, 0o711 if passable else 0o700) | dict.fromkeys(private, 0o700)
    modes[layout.versions] = 0o755 if passable else 0o700
    for path, mode in modes.items():
        folder = layout.on(path)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(mode)
    return [*above, layout.versions, site / "core", site / "launcher"]


def write_settings(
    join: dict[str, Any], source: Path, group: str | None, extra: list[str], layout: Layout
) -> None:
    """The join file, 0600, and what the launcher starts the core with."""
    name = str(join["site"])
    folder = layout.on(layout.settings)
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    copy = layout.on(layout.join(name))
    if copy != source.resolve():
        descriptor = os.open(str(copy), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(source.read_text(encoding="utf-8"))
    site = layout.site(name)
    config = {
        "v": 1,
        "launcher": str(site / "launcher"),
        "versions": str(layout.versions),
        "state": str(site / "core"),
        "arguments": core_arguments(layout.join(name), site / "core", group, extra),
    }
    write_durably(layout.on(layout.config(name)), json.dumps(config, indent=1) + "\n")


def core_arguments(join: Path, state: Path, group: str | None, extra: list[str]) -> list[str]:
    """Functions run in the core's own interpreter, whatever runtime the group names."""
    arguments = ["--join", str(join), "--state", str(state), "--python", "python3.8={python}"]
    return [*arguments, *(["--group", group] if group else []), *extra]


def add_version(bundle: Path, site: str, layout: Layout) -> str:
    """Install the bundle's version; it goes on trial where another one has proved itself."""
    name = install_version(bundle, layout.on(layout.versions))
    file = layout.on(layout.site(site)) / "launcher" / "versions.json"
    known = read(file)
    if name not in (known.proved, known.trial):
        write(file, known.offered(name))
    return name


def write_units(
    bundle: Path, join: dict[str, Any], layout: Layout, loosened: Iterable[str] = ()
) -> None:
    """The unit, and beside it what is this site's own: its volumes, and how far it may go."""
    units = layout.on(layout.units)
    units.mkdir(parents=True, exist_ok=True)
    unit = (bundle / "units" / "fanfold@.service").read_text(encoding="utf-8")
    (units / "fanfold@.service").write_text(unit.replace("@PYTHON@", interpreter()), "utf-8")
    drop_in = layout.on(layout.drop_in(str(join["site"])))
    drop_in.parent.mkdir(exist_ok=True)
    paths = " ".join(volumes_of(join).values())
    drop_in.write_text(f"[Service]\nReadWritePaths={paths}\n", encoding="utf-8")
    for name in LOOSENED:
        target = drop_in.with_name(name)
        if name in loosened:
            shutil.copy(str(bundle / "units" / name), str(target))
        else:
            target.unlink(missing_ok=True)


def give(owner: Owner | None, paths: Iterable[Path], layout: Layout) -> None:
    """Make a user the owner of these folders and all in them; None: they stay as they are."""
    if owner is None:
        return
    for path in paths:
        top = layout.on(path)
        for each in (top, *top.rglob("*")):
            os.chown(str(each), *owner, follow_symlinks=False)


def start(site: str, layout: Layout) -> bool:
    """Enable and start the unit; False where no systemd runs here."""
    if str(layout.root) != "/" or not Path("/run/systemd/system").is_dir():
        return False
    _run(["systemctl", "daemon-reload"])
    _run(["systemctl", "enable", f"fanfold@{site}.service"])
    _run(["systemctl", "restart", f"fanfold@{site}.service"])
    return True


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise StepError(f"{command[0]} cannot be run: {error.strerror}; install it") from error
    if done.returncode:
        raise StepError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")

"""Functions of a core that is root, where nobody named a user and there is no ggc_user."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from core_site import Site
from waiting import eventually

from edgecore.core.group import Function
from edgecore.supervisor.homes import BOOTSTRAP, Homes
from edgecore.supervisor.identity import (
    AUTO,
    DEFAULT_USER,
    Identities,
    Identity,
    IdentityError,
    default_identity,
)
from edgecore.supervisor.interpreters import EXECUTABLE_RUNTIME
from edgecore.supervisor.own_number import OWN_UID
from fanfold.localcore.volumes import make_volume, volume_owner

PYTHON = "/usr/bin/python3"
OWN = Identity(OWN_UID, OWN_UID)

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may start functions as other users"),
    pytest.mark.skipif(default_identity(AUTO) is not None, reason=f"{DEFAULT_USER} is here"),
    pytest.mark.skipif(
        not (OWN.can("r", str(BOOTSTRAP)) and OWN.can("x", PYTHON)),
        reason=f"other users cannot reach {BOOTSTRAP} or {PYTHON}",
    ),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """pytest's own folders are closed to other users; this one can be passed through."""
    made = Path(tempfile.mkdtemp(prefix="fanfold-own-number-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def settled(
    folder: Path, program: str = PYTHON, key: Path | None = None, **variables: str
) -> tuple[Homes, Function, list[str]]:
    found: list[str] = []
    identities = Identities(choice=AUTO, insecure=False, find=found.append)
    homes = Homes(
        resources=(), state=folder / "state", identities=identities, find=found.append,
        key_file=key,
    )  # fmt: skip
    function = Function(
        id="f", arn="arn:f", runtime="python3.8", isolation="NoContainer", environment=variables
    )
    homes.settle([(function, program)])
    return homes, function, found


def kept(folder: Path, owner: int) -> str:
    made = folder / "kept"
    made.mkdir()
    os.chown(made, owner, owner)
    return str(made)


def test_functions_that_keep_nothing_are_the_number(folder: Path) -> None:
    homes, function, _ = settled(folder)

    assert homes.of(function, PYTHON).identity == OWN


def test_functions_whose_volume_is_the_numbers_are_the_number(folder: Path) -> None:
    homes, function, _ = settled(folder, FANFOLD_STATE_DIR=kept(folder, OWN_UID))

    assert homes.of(function, PYTHON).identity == OWN


def test_what_a_site_has_kept_as_root_stays_roots_with_one_line_that_says_how_to_change_it(
    folder: Path,
) -> None:
    volume = kept(folder, 0)
    homes, function, found = settled(folder, FANFOLD_STATE_DIR=volume)

    assert homes.of(function, PYTHON).identity is None
    (line,) = {each for each in found if "run as root" in each}
    assert f"chown -R {OWN_UID}:{OWN_UID} {volume}" in line


@pytest.fixture
def closed(folder: Path) -> str:
    """An interpreter as a developer has it below /root."""
    home = folder / "home"
    home.mkdir(mode=0o700)
    shutil.copy(PYTHON, home / "python3")
    return str(home / "python3")


def test_an_interpreter_that_only_root_reaches_keeps_functions_root_and_is_named(
    folder: Path, closed: str
) -> None:
    homes, function, found = settled(folder, closed)

    assert homes.of(function, closed).identity is None
    assert f"uid {OWN_UID} cannot reach {closed}" in found[0]


def test_beside_a_devices_key_such_a_function_is_refused_with_what_is_in_the_way(
    folder: Path, closed: str
) -> None:
    homes, function, _ = settled(folder, closed, key=folder / "hall.join")

    with pytest.raises(IdentityError, match=f"cannot reach {closed}.*--function-user"):
        homes.check(function, closed)


def test_what_no_handing_over_of_folders_would_mend_is_named_instead_of_them(
    folder: Path, closed: str
) -> None:
    homes, function, _ = settled(
        folder, closed, key=folder / "hall.join", FANFOLD_STATE_DIR=kept(folder, 0)
    )

    with pytest.raises(IdentityError, match=f"cannot reach {closed}") as refused:
        homes.check(function, closed)
    assert "chown" not in str(refused.value)


def test_root_never_writes_into_what_is_the_numbers(folder: Path, closed: str) -> None:
    homes, function, _ = settled(folder, closed, FANFOLD_STATE_DIR=kept(folder, OWN_UID))

    with pytest.raises(IdentityError, match=f"uid {OWN_UID} cannot reach {closed}"):
        homes.check(function, closed)


@pytest.mark.parametrize(
    ("group", "identity"), [(44, Identity(OWN_UID, OWN_UID, (44,))), (0, None)]
)
def test_a_usb_camera_adds_its_group_and_one_of_roots_keeps_functions_root(
    folder: Path, group: int, identity: Identity | None
) -> None:
    camera = folder / "video0"
    camera.touch()
    os.chown(camera, 0, group)
    camera.chmod(0o660)
    homes, function, found = settled(folder, FANFOLD_SOURCES=f'[{{"url": "v4l2://{camera}"}}]')

    assert homes.of(function, PYTHON).identity == identity
    assert (str(camera) in "".join(found)) == (identity is None)


def test_a_number_that_is_somebodys_account_is_not_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pwd.getpwuid
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: real(0 if uid == OWN_UID else uid))
    homes, function, found = settled(folder)

    assert homes.of(function, PYTHON).identity is None
    assert f"uid {OWN_UID} is root's here" in found[0]


@pytest.mark.parametrize(("content", "owner"), [((), OWN_UID), (("results.jsonl",), 0)])
def test_new_volumes_are_the_numbers_and_what_is_in_use_stays_whose_it_is(
    folder: Path, content: tuple[str, ...], owner: int
) -> None:
    volume = folder / "state"
    volume.mkdir()
    for name in content:
        (volume / name).touch()

    make_volume(volume, volume_owner(AUTO, [Path(PYTHON), volume], insecure=False))

    assert {path.stat().st_uid for path in (volume, *volume.iterdir())} == {owner}


def test_volumes_of_whom_the_interpreter_is_closed_to_stay_roots(folder: Path, closed: str) -> None:
    assert volume_owner(AUTO, [Path(closed)], insecure=False) is None


SAYS = """
import os
state = os.environ["KEPT_BY_THE_CORE"]
try:
    os.listdir(state)
except OSError as error:
    print("SAYS", os.getuid(), os.getgid(), os.getgroups(), type(error).__name__, flush=True)
def handler(event, context): pass
"""


def test_on_a_real_core_python_and_programs_are_the_number_and_one_finding_says_who_shares_it(
    folder: Path,
) -> None:
    site = Site(folder)
    site.function("f", SAYS, variables={"KEPT_BY_THE_CORE": str(site.state)})
    site.function("c", "", EncodingType="binary")
    entry: dict[str, Any] = next(
        each for each in site.document["Lambdas"].values() if each["FunctionName"] == "c"
    )
    entry.update({"Runtime": EXECUTABLE_RUNTIME, "Handler": "hello"})
    program = folder / "code" / "c" / "hello"
    program.write_text('#!/bin/sh\necho "SAYS $(id -u)"\nexec sleep 1000\n')
    program.chmod(0o755)
    site.function("g", "def handler(event, context): pass\n")
    site.start("--python", f"python3.8={PYTHON}")
    try:
        alone = f"SAYS {OWN_UID} {OWN_UID} [] PermissionError"
        eventually(lambda: alone in site.log("f"), lambda: site.log("f"), 30)
        eventually(lambda: f"SAYS {OWN_UID}" in site.log("c"), lambda: site.log("c"), 30)
        (finding,) = (each for each in site.status()["findings"] if "run without a con" in each)
        assert "functions f, c, g run without a container as one user" in finding
        assert site.state.stat().st_mode & 0o777 == 0o700
    finally:
        site.stop()

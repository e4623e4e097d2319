"""As whom a function is to run; pure, but for names that every machine has."""

from __future__ import annotations

import pwd
import sys
from pathlib import Path
from typing import Any

import pytest

from edgecore.core.group import Function
from edgecore.supervisor.homes import Homes
from edgecore.supervisor.identity import (
    Identities,
    Identity,
    IdentityError,
    default_identity,
    sharing,
)


def function(uid: int | None = None, gid: int | None = None) -> Function:
    return Function(id="f", arn="arn:f", run_as_uid=uid, run_as_gid=gid)


def identities(core: int = 0, **more: Any) -> tuple[Identities, list[str]]:
    found: list[str] = []
    given = {"choice": "61004:61005", "insecure": False, **more}
    return Identities(**given, find=found.append, core_uid=core, core_gid=core), found


def test_a_core_that_may_not_switch_users_refuses_run_as_with_the_remedy() -> None:
    made, _ = identities(core=1000)

    with pytest.raises(IdentityError, match="start the core as root, or pass --insecure-core-user"):
        made.of(function(61001))


def test_run_as_of_the_cores_own_user_needs_no_switch() -> None:
    made, _ = identities(core=1000)

    assert made.of(function(1000, 1000)) is None
    assert made.of(function()) is None


def test_told_to_ignore_run_as_the_core_says_what_that_means() -> None:
    made, found = identities(core=1000, insecure=True)

    assert made.of(function(61001)) is None
    assert "can read the core's keys" in found[0]


@pytest.mark.parametrize(("uid", "gid"), [(0, 61001), (61001, 0), (0, 0)])
def test_run_as_root_is_refused_as_v1_refuses_it(uid: int, gid: int) -> None:
    made, _ = identities()

    with pytest.raises(IdentityError, match="0 is root"):
        made.of(function(uid, gid))


def test_what_run_as_leaves_out_is_the_defaults() -> None:
    made, _ = identities()

    assert made.of(function(uid=61001)) == Identity(61001, 61005)
    assert made.of(function(gid=61001)) == Identity(61004, 61001)
    assert made.of(function(), groups=[61010, 0]) == Identity(61004, 61005, (61010,))


def test_where_greengrass_user_is_missing_functions_stay_root_and_the_core_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edgecore.supervisor.identity.DEFAULT_USER", "no-such-user-here")
    made, found = identities(choice="auto")

    assert made.of(function()) is None
    assert "useradd --system --user-group" in found[0]
    assert default_identity("root") is None


def test_a_user_that_this_machine_lacks_is_named_with_the_remedy() -> None:
    with pytest.raises(IdentityError, match="useradd --system nobody-of-that-name"):
        default_identity("nobody-of-that-name")


def test_functions_that_share_a_user_without_a_container_are_a_finding() -> None:
    shared, alone = Identity(61001, 61001), Identity(61002, 61002)

    (finding,) = sharing({"a": shared, "b": shared, "c": alone})
    assert "functions a, b run without a container as one user, uid 61001" in finding


@pytest.fixture
def no_ggc_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> Any:
        raise KeyError(name)

    monkeypatch.setattr(pwd, "getpwnam", unknown)


def homes(folder: Path, key_file: Path | None, **choice: Any) -> Homes:
    made, found = identities(**choice)
    return Homes(
        resources=(), state=folder, identities=made, find=found.append, key_file=key_file,
        isolation="none",
    )  # fmt: skip


@pytest.mark.usefixtures("no_ggc_user")
def test_beside_a_devices_key_no_function_is_root_unless_that_was_asked_for(tmp_path: Path) -> None:
    key = tmp_path / "hall.join"

    with pytest.raises(IdentityError, match=r"useradd .* ggc_user.*, or pass --function-user"):
        homes(tmp_path, key, choice="auto").check(function(), sys.executable)

    homes(tmp_path, key, choice="root").check(function(), sys.executable)
    homes(tmp_path, key, choice="auto", insecure=True).check(function(), sys.executable)
    homes(tmp_path, None, choice="auto").check(function(), sys.executable)

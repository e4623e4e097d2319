"""Functions as other users: one core as root, and what each of its functions can read."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from core_site import Site
from waiting import eventually

from edgecore.supervisor.homes import BOOTSTRAP
from edgecore.supervisor.identity import Identity
from edgecore.supervisor.isolation import bubblewrap

PYTHON = "/usr/bin/python3"
A, B, BOXED, DEFAULT, TEAM = 61001, 61002, 61003, 61004, 61010

PROBE = """
import json, os, time
def read(path):
    try:
        if os.path.isdir(path):
            return "read" if os.listdir(path) else "empty"
        with open(path, "rb") as file:
            return "read" if file.read(1) else "empty"
    except OSError as error:
        return type(error).__name__
def say(**facts):
    print("SAYS " + json.dumps(facts), flush=True)
open(os.environ["SCRATCH"] + "/journal.sqlite", "w").write("mine")
say(uid=os.getuid(), gid=os.getgid(), groups=os.getgroups(), pid=os.getpid(), code=read(__file__),
    write=os.access(os.environ["SCRATCH"], os.W_OK), sys=read("/sys"))
while not os.path.exists(os.environ["ASKED"] + "/paths.json"):
    time.sleep(0.05)
say(found={path: read(path) for path in json.load(open(os.environ["ASKED"] + "/paths.json"))})
def handler(event, context): pass
"""

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may start functions as other users"),
    pytest.mark.skipif(bubblewrap() is None, reason="bubblewrap does not work on this machine"),
]


def volume(site: Site, name: str, path: Path, **setting: Any) -> None:
    data = {"SourcePath": str(path), "DestinationPath": str(path), "GroupOwnerSetting": setting}
    container = {"LocalVolumeResourceData": data}
    site.document["Resources"].append(
        {"Id": name, "Name": name, "ResourceDataContainer": container}
    )


def add(site: Site, name: str, run_as: int | None, scratch: str, *volumes: str) -> None:
    contained = {"isolation": "GreengrassContainer", "MemorySize": 400000} if volumes else {}
    variables = {"SCRATCH": scratch, "ASKED": str(site.folder / "asked")}
    site.function(name, PROBE, variables=variables, **contained)
    environment = site.document["Functions"][-1]["FunctionConfiguration"]["Environment"]
    if run_as is not None:
        environment["Execution"]["RunAs"] = {"Uid": run_as, "Gid": run_as}
    environment["ResourceAccessPolicies"] = [
        {"ResourceId": v, "Permission": "ro" if v == "asked" else "rw"} for v in volumes
    ]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """pytest's own folders are closed to other users; this one can be passed through."""
    if not Identity(A, A).can("r", str(BOOTSTRAP)) or not Identity(A, A).can("x", PYTHON):
        pytest.skip(f"other users cannot reach {BOOTSTRAP} or {PYTHON}")
    folder = Path(tempfile.mkdtemp(prefix="fanfold-isolation-"))
    folder.chmod(0o711)
    made = Site(folder)
    functions = folder / "state-functions"
    for name, uid, gid in (("boxed", BOXED, TEAM), ("default", DEFAULT, DEFAULT)):
        own = folder / name
        own.mkdir()
        os.chown(own, uid, gid)
        own.chmod(0o770)
        volume(made, name, own, AutoAddGroupOwner=True)
    (folder / "asked").mkdir()
    volume(made, "asked", folder / "asked")
    add(made, "a", A, str(functions / "a"))
    add(made, "b", B, str(functions / "b"))
    add(made, "boxed", BOXED, str(folder / "boxed"), "boxed", "asked")
    add(made, "default", None, str(folder / "default"), "default", "asked")
    sysfs = made.document["Functions"][-1]["FunctionConfiguration"]["Environment"]
    sysfs["AccessSysfs"] = True
    made.start("--python", f"python3.8={PYTHON}", "--function-user", str(DEFAULT),
               "--mqtt-port", "0")  # fmt: skip
    yield made
    made.stop()
    shutil.rmtree(folder)


def said(site: Site, name: str) -> list[dict[str, Any]]:
    lines = [line.partition("SAYS ")[2] for line in site.log(name).splitlines()]
    return [json.loads(line) for line in lines if line]


def first_of(site: Site, name: str) -> dict[str, Any]:
    problem = f"{name} started: {site.of(name)['last_error']} {site.log(name)}"
    return eventually(lambda: said(site, name), problem)[0]


@pytest.fixture(scope="module")
def found(site: Site) -> dict[str, dict[str, str]]:
    """What each function could read of everything that is not its own."""
    pids = {name: site.of(name)["pid"] for name in ("a", "b") if first_of(site, name)}
    functions = site.folder / "state-functions"
    paths = [
        *(f"/proc/{pid}/environ" for pid in pids.values()),
        "/etc/shadow",
        *map(str, sorted((site.state / "ca").glob("*key*"))),
        *map(str, (site.state, site.state / "core.json", site.state / "cache")),
        *(str(functions / name / file) for name in pids for file in
          ("code/main.py", "journal.sqlite")),
        *(str(site.folder / name / "journal.sqlite") for name in ("boxed", "default")),
    ]  # fmt: skip
    assert any("key" in path for path in paths)
    draft = site.folder / "asked" / "draft"
    draft.write_text(json.dumps(paths))
    draft.rename(draft.with_name("paths.json"))
    answers = {}
    for name in ("a", "b", "boxed", "default"):
        answers[name] = eventually(
            lambda name=name: said(site, name)[1:], f"{name} looked: {site.log(name)}"
        )[0]["found"]
    return answers


@pytest.mark.parametrize(("name", "uid"), [("a", A), ("b", B), ("boxed", BOXED)])
def test_run_as_is_honoured_with_and_without_a_container(site: Site, name: str, uid: int) -> None:
    facts = first_of(site, name)

    assert (facts["uid"], facts["gid"]) == (uid, uid)
    assert facts["code"] == "read"


def test_a_function_without_run_as_is_the_user_that_the_option_names(site: Site) -> None:
    assert first_of(site, "default")["uid"] == DEFAULT


def test_the_group_that_owns_a_volume_is_added_to_who_is_given_it(site: Site) -> None:
    facts = first_of(site, "boxed")

    assert TEAM in facts["groups"]
    assert facts["write"]


def test_sysfs_is_there_only_for_who_has_access_to_it(site: Site) -> None:
    assert first_of(site, "default")["sys"] == "read"
    assert first_of(site, "boxed")["sys"] == "FileNotFoundError"


@pytest.mark.parametrize("name", ["a", "b", "boxed", "default"])
def test_no_function_reads_another_ones_things_or_the_cores(
    site: Site, found: dict[str, dict[str, str]], name: str
) -> None:
    own = (f"/{site.of(name)['pid']}/environ", f"/{name}/code/main.py", f"/{name}/journal.sqlite")
    readable = [path for path, how in found[name].items() if how == "read"]

    assert [path for path in readable if not path.endswith(own)] == []
    assert found[name].keys() >= {"/etc/shadow", str(site.state / "core.json")}


def test_a_function_does_read_what_is_its_own(site: Site, found: dict[str, dict[str, str]]) -> None:
    assert found["a"][str(site.folder / "state-functions" / "a" / "journal.sqlite")] == "read"
    assert found["boxed"][str(site.folder / "boxed" / "journal.sqlite")] == "read"


def test_the_cores_state_is_its_own(site: Site) -> None:
    assert site.state.stat().st_mode & 0o777 == 0o700

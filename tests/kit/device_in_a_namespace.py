"""A device of its own for an installation: run as root, as the first process of its namespaces.

/opt, /srv, /var/lib and a copy of /etc are this namespace's, and there is no network but loopback.
What still runs when this ends is killed with its PID namespace.
Each step prints one JSON object; the test judges.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shlex
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

SITE = Path("/var/lib/fanfold/sites/hall")
CONFIG = Path("/etc/fanfold/hall.json")
DEADLINE_S = 150


def tell(step: str, **facts: Any) -> None:
    print(json.dumps({"step": step, **facts}), flush=True)


def until(check: Callable[[], Any]) -> Any:
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.2)
    return None


def make_device(work: Path) -> None:
    own = work / "etc"
    shutil.copytree("/etc", own, symlinks=True)
    subprocess.run(["mount", "--bind", str(own), "/etc"], check=True)
    for folder in ("/opt", "/srv", "/var/lib"):
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def install(step: str, bundle: Path, python: str, *arguments: str) -> None:
    done = subprocess.run(
        [str(bundle / "install.sh"), *arguments], cwd="/srv",
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "FANFOLD_PYTHON": python},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    tell(step, code=done.returncode, out=done.stdout, err=done.stderr)


def seen(path: str) -> list[str]:
    facts = Path(path).stat()
    return [oct(facts.st_mode & 0o777), pwd.getpwuid(facts.st_uid).pw_name]


def look() -> None:
    paths = ("/var/lib/fanfold", str(SITE / "core"), "/etc/fanfold/hall.join", "/opt/fanfold",
             "/srv/hall/images")  # fmt: skip
    size = subprocess.run(
        ["du", "-sm", "/var/lib/fanfold/versions"], capture_output=True, text=True, check=True
    )
    tell("look", paths={path: seen(path) for path in paths}, megabytes=int(size.stdout.split()[0]))


def without_cloud() -> None:
    """A core that does not know join files yet is started without."""
    config = json.loads(CONFIG.read_text())
    python = next(Path(config["versions"]).iterdir()) / "bin/python"
    shown = subprocess.run(
        [str(python), "-m", "edgecore", "--help"], capture_output=True, check=True
    )
    if b"--join" not in shown.stdout:
        config["arguments"] = config["arguments"][2:]
        CONFIG.write_text(json.dumps(config))


def start() -> subprocess.Popen[bytes]:
    """As the unit says, by the user that it names, who has no capabilities."""
    unit = Path("/etc/systemd/system/fanfold@.service").read_text()
    line = next(each for each in unit.splitlines() if each.startswith("ExecStart="))
    command = shlex.split(line.removeprefix("ExecStart=").replace("%i", "hall"))
    user = ["setpriv", "--reuid=fanfold", "--regid=fanfold", "--init-groups", "--no-new-privs",
            "--bounding-set=-all", "--inh-caps=-all"]  # fmt: skip
    return subprocess.Popen([*user, *command], cwd=SITE, env={"PATH": "/usr/bin:/bin"})


def start_as_root() -> subprocess.Popen[bytes]:
    """As the drop-in for function users says: root, with those capabilities and no other."""
    drop_in = Path("/etc/systemd/system/fanfold@hall.service.d/functions.conf").read_text()
    line = next(each for each in drop_in.splitlines() if each.startswith("CapabilityBoundingSet="))
    names = line.partition("=")[2].lower().replace("cap_", "+").split()
    held = ["setpriv", f"--bounding-set=-all,{','.join(names)}", "--inh-caps=-all",
            "--no-new-privs", "--clear-groups"]  # fmt: skip
    unit = Path("/etc/systemd/system/fanfold@.service").read_text()
    line = next(each for each in unit.splitlines() if each.startswith("ExecStart="))
    command = shlex.split(line.removeprefix("ExecStart=").replace("%i", "hall"))
    return subprocess.Popen([*held, *command], cwd=SITE, env={"PATH": "/usr/bin:/bin"}, umask=0o077)


def function_users() -> dict[str, str]:
    """Function → the user of its process."""
    facts = read(SITE / "core/core.json")
    connection = HTTPConnection("127.0.0.1", facts["ports"]["http"], timeout=5)
    connection.request("GET", "/api/status")
    functions = json.load(connection.getresponse())["functions"]
    connection.close()
    pids = {each["id"]: each["pid"] for each in functions if each.get("pid")}
    return {name: pwd.getpwuid(Path(f"/proc/{pid}").stat().st_uid).pw_name
            for name, pid in pids.items()}  # fmt: skip


def readable_by(user: str, *paths: str) -> list[str]:
    found = []
    for path in paths:
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "test", "-r"]
        if subprocess.run([*command, path], check=False).returncode == 0:
            found.append(path)
    return found


def other_users(bundle: Path, join: Path, python: str, *more: str) -> None:
    """The same version once more, whose functions are another user's."""
    install("function user", bundle, python, "--site", str(join), "--no-start",
            "--function-user", *more)  # fmt: skip
    launcher = start_as_root()
    tell("functions", ready=bool(until(ready)), users=function_users(),
         readable=readable_by(str(pwd.getpwnam("ggc_user").pw_uid), "/etc/fanfold/hall.join",
                              str(SITE / "core/core.json"), "/srv/files/group.json"))  # fmt: skip
    launcher.terminate()
    tell("functions stopped", code=launcher.wait(90), running=until(lambda: not running()))


def read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def ready() -> bool:
    facts = read(SITE / "core/core.json")
    if not facts:
        return False
    connection = HTTPConnection("127.0.0.1", facts["ports"]["http"], timeout=5)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def spoiled(bundle: Path, into: Path) -> Path:
    """The same bundle with a core that ends at once, as an archive with the right digests."""
    copy = into / "spoiled"
    shutil.copytree(bundle, copy)
    wheel = next((copy / "wheels").glob("fanfold-*.whl"))
    before = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with (
        zipfile.ZipFile(bundle / "wheels" / wheel.name) as good,
        zipfile.ZipFile(wheel, "w") as bad,
    ):
        for name in good.namelist():
            main = name == "edgecore/__main__.py"
            bad.writestr(name, b"raise SystemExit(9)" if main else good.read(name))
    facts = json.loads((copy / "bundle.json").read_text())
    text = (copy / "requirements.txt").read_text()
    after = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (copy / "requirements.txt").write_text(text.replace(before, after))
    for name in (f"wheels/{wheel.name}", "requirements.txt"):
        facts["files"][name]["sha256"] = hashlib.sha256((copy / name).read_bytes()).hexdigest()
    facts["version"] += "-spoiled"
    (copy / "bundle.json").write_text(json.dumps(facts))
    archive = into / "spoiled.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(copy, "spoiled")
    return archive


def running() -> list[str]:
    """The command lines of all processes of this PID namespace but this one; zombies have none."""
    others = (each for each in Path("/proc").iterdir() if each.name.isdigit())
    lines = {each.name: commandline(each) for each in others}
    return sorted(line for pid, line in lines.items() if line and pid != str(os.getpid()))


def commandline(process: Path) -> str:
    try:
        return (process / "cmdline").read_text().replace("\0", " ").strip()
    except OSError:
        return ""


def hand_over(archive: Path) -> None:
    place = SITE / "launcher"
    mine = shutil.copy(archive, place / "update.tar")
    digest = hashlib.sha256(Path(mine).read_bytes()).hexdigest()
    draft = place / "request.new"
    draft.write_text(json.dumps({"v": 1, "archive": str(mine), "sha256": digest}))
    for path in (Path(mine), draft):
        shutil.chown(path, "fanfold", "fanfold")
    draft.rename(place / "request.json")


def main(work: Path, bundle: Path, join: Path, python: str, files: Path, core: list[str]) -> None:
    make_device(work)
    shutil.copytree(files, "/srv/files")
    group = ("--group", "/srv/files/group.json", "--", *core)
    install("install", bundle, python, "--site", str(join), "--no-start", *group)
    look()
    install("request", bundle, python, "--csr", "hall-spare")
    tell(
        "key", key=seen("/etc/fanfold/hall-spare.key"), csr=Path("/srv/hall-spare.csr").read_text()
    )
    without_cloud()
    launcher = start()
    versions = SITE / "launcher/versions.json"
    tell("started", proved=until(lambda: (read(versions) or {}).get("proved")), ready=ready())
    hand_over(spoiled(bundle, work))
    result = until(lambda: (read(SITE / "launcher/result.json") or {}).get("outcome") == "went_back"
                   and read(SITE / "launcher/result.json"))  # fmt: skip
    tell("went back", result=result, ready=bool(until(ready)))
    launcher.terminate()
    code = launcher.wait(90)
    until(lambda: not running())
    tell("stopped", code=code, running=running())
    other_users(bundle, join, python, *group)
    environment = {"PATH": "/usr/bin:/bin", "FANFOLD_PYTHON": python}
    subprocess.run(["/opt/fanfold/uninstall.sh"], env=environment, check=False)
    left = [
        str(path) for path in (Path("/opt/fanfold"), Path("/etc/fanfold"), CONFIG) if path.exists()
    ]
    tell("uninstalled", left=left, state=SITE.is_dir())


if __name__ == "__main__":
    assert (os.geteuid(), os.getpid()) == (0, 1)
    main(*map(Path, sys.argv[1:4]), sys.argv[4], Path(sys.argv[5]), sys.argv[6:])

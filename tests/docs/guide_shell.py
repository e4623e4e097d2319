"""A person at a terminal: types a guide's shell blocks, in order, on a small plant of their own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from fanfold.sending.records import LISTENING

PROJECT = Path(__file__).parents[2]
#: What a checkout has and a plant only points at.
SHARED = (
    ".venv", ".venv-device", "node_modules", "app.py", "cdk.json", "package.json", "contract",
    "infra", "lambdas", "edgecore", "device", "devcloud", "fanfold", "models", "replay", "bench",
    "schemas",
)  # fmt: skip
#: They go on until somebody interrupts them.
FOLLOWS = re.compile(
    r"^(fanfold results(?!.* -n )|fanfold run(?!.* --detach)|fanfold logs .*-f"
    r"|mosquitto_sub|python -m edgecore)"
)
#: What runs on after its command, and what ends it.
STARTS = {"fanfold run": "fanfold stop", "fanfold devcloud start": "fanfold devcloud stop"}
DEADLINE_S = 120
HEARD_S = 5


def make_checkout(folder: Path) -> Path:
    """A folder that looks like a checkout, with sites and profiles of its own."""
    folder.mkdir(parents=True)
    for name in SHARED:
        if (PROJECT / name).exists():
            (folder / name).symlink_to(PROJECT / name)
    for name in ("sites", "device_profiles"):
        shutil.copytree(PROJECT / name, folder / name)
    return folder


class Network:
    """A network namespace with nothing but loopback: every port that a guide names is free."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", "ip link set lo up && echo up && exec sleep infinity"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._holder.stdout is not None
        self.works = self._holder.stdout.readline() == "up\n"

    @property
    def prefix(self) -> list[str]:
        return ["nsenter", "-t", str(self._holder.pid), "-n"]

    def close(self) -> None:
        self._holder.kill()
        self._holder.communicate()


class Shell:
    """`type(block)` runs each command to its end; those that follow stay open beside them."""

    def __init__(self, folder: Path, network: Network, instead: dict[str, str]) -> None:
        self.folder = folder
        self._prefix = network.prefix
        self._instead = instead
        self._followers: list[tuple[str, subprocess.Popen[bytes], Path]] = []
        path = f"{folder / '.venv/bin'}:{os.environ['PATH']}"
        self._followed = 0
        self._started: set[str] = set()
        self._env = {**os.environ, "PATH": path, "FANFOLD_STATE": str(folder / ".fanfold")}
        self.said = ""

    def type(self, block: str, *, exits: tuple[int, ...] = (0,)) -> str:
        """What the block's commands printed. Fails at an exit status outside `exits`."""
        said = ""
        for line in block.replace("\\\n", " ").splitlines():
            command = self._as_here(line)
            if not command or command.startswith("#"):
                continue
            self._started |= {start for start in STARTS if command.startswith(start)}
            if FOLLOWS.match(command):
                self._follow(command)
            elif command.startswith("mosquitto_pub") and self._followers:
                self._say_until_heard(command)
            else:
                said += self._run(command, exits)
        self.said += said
        return said

    def _as_here(self, line: str) -> str:
        for name, here in self._instead.items():
            line = line.replace(name, here)
        return line.strip()

    def _run(self, command: str, exits: tuple[int, ...]) -> str:
        done = subprocess.run(
            [*self._prefix, "bash", "-c", command], cwd=self.folder, env=self._env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DEADLINE_S, check=False,
        )  # fmt: skip
        assert done.returncode in exits, f"$ {command}\n{done.stdout[-3000:]}"
        return done.stdout

    def _follow(self, command: str) -> None:
        self._followed += 1
        heard = self.folder / f"follower-{self._followed}.txt"
        with heard.open("wb") as out:
            process = subprocess.Popen(
                [*self._prefix, "bash", "-c", f"exec {command}"], cwd=self.folder, env=self._env,
                stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self._followers.append((command, process, heard))
        if "edgecore" in command:
            self._await_port(1883)
        elif command.startswith("fanfold results"):
            self._await_words(heard, LISTENING)

    def _await_words(self, said: Path, words: str) -> None:
        """What comes before a follower listens is not for it."""
        deadline = time.monotonic() + DEADLINE_S
        while words not in said.read_text("utf-8", "replace"):
            assert time.monotonic() < deadline, f"never {words!r}: {said.read_text()[-1500:]}"
            time.sleep(0.05)

    def _await_port(self, port: int) -> None:
        probe = f"exec 3<>/dev/tcp/127.0.0.1/{port}"
        loop = f"for i in $(seq 300); do ({probe}) 2>/dev/null && exit; sleep 0.2; done; exit 1"
        self._run(loop, (0,))

    def _say_until_heard(self, command: str) -> None:
        """As the guide has it: no answer for a few seconds, send the same again."""
        before = self._heard_bytes()
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            self._run(command, (0,))
            again = time.monotonic() + HEARD_S
            while time.monotonic() < again:
                if self._heard_bytes() > before:
                    return
                time.sleep(0.05)
        raise AssertionError(f"nobody heard: {command}")

    def _heard_bytes(self) -> int:
        return sum(
            path.stat().st_size for command, _, path in self._followers if "edgecore" not in command
        )

    def heard(self, what: str) -> None:
        """Wait until one of the followers has printed `what`."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            if any(what in path.read_text("utf-8", "replace") for _, _, path in self._followers):
                return
            time.sleep(0.1)
        said = "\n".join(f"$ {c}\n{p.read_text()[-1500:]}" for c, _, p in self._followers)
        raise AssertionError(f"{what!r} was not heard:\n{said}")

    def overheard(self) -> str:
        """All that those who follow have printed so far."""
        return "".join(path.read_text("utf-8", "replace") for _, _, path in self._followers)

    def hang_up(self) -> None:
        """Ctrl-C to what follows; what it said is forgotten."""
        for _, process, _ in reversed(self._followers):
            process.send_signal(signal.SIGINT)
        for _, process, _ in self._followers:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        self._followers.clear()

    def close(self) -> None:
        """Ctrl-C to what follows, and what was started is stopped."""
        self.hang_up()
        for stop in [stop for start, stop in STARTS.items() if start in self._started]:
            subprocess.run(
                [*self._prefix, "bash", "-c", stop], cwd=self.folder, env=self._env,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60, check=False,
            )  # fmt: skip
        self._started.clear()

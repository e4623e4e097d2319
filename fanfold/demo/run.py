"""The main job from end to end, as a transcript of the commands a user would type.

Each step is a real `fanfold` command in a process of its own; this module starts them,
reads what they print, checks order and content, and measures.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devcloud import find as find_cloud
from fanfold.common import output
from fanfold.common.errors import FAILED, INVALID, MISSING, UserError
from fanfold.common.project import PROJECT, read_site
from fanfold.demo.outcome import complaints, judge, names_of, table_of
from fanfold.device.interpreters import device_python
from fanfold.localcore import running
from fanfold.localcore.volumes import clear, refuse_in_use
from fanfold.sending.records import LISTENING
from infra.planning import ResultsStore, store_of
from infra.where import INSTALLED

SITE = "demo"
BUCKET = "fanfold-demo-models"
VOLUMES = Path("/tmp/fanfold-demo")  # noqa: S108 - sites/demo.yaml names it; removed at the end
RESULT_TIMEOUT_S = 300
CLOUD_TIMEOUT_S = 30
#: Of each stream, so that the transcript shows the same photographs every time.
SHOWN = 4


@dataclass
class Demo:
    """One run of the demo; `work` keeps packages and photographs between runs."""

    images: int
    site: str = SITE
    outcome_file: str = "demo.json"
    work: Path = PROJECT / "build" / "demo"
    state: Path = PROJECT / ".fanfold" / "demo"
    measured: dict[str, float] = field(default_factory=dict)
    #: Unix time at which the first record of the latest run was there.
    first_result_at: float = 0.0

    def run(self) -> dict[str, Any]:
        """All steps; writes and returns the outcome. Raises UserError where one fails."""
        if INSTALLED:
            raise UserError(
                "the demo makes its own model: run it in a checkout (make demo)", MISSING
            )
        refuse_in_use(VOLUMES)
        with self._everything_stopped():
            clear(VOLUMES)
            self._prepare()
            first, second = self._publish()
            group_before = self._deploy(first, "deploy")
            self._core()
            before = self._send("first model")
            group_after = self._deploy(second, "new model deployed")
            self._await_model("1.1.0")
            after = self._send("second model")
            landed = self._show_cloud(before + after)
            return self._judge([before, after], (group_before, group_after), landed)

    @contextmanager
    def _everything_stopped(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._quiet(["stop", self.site])
            self._quiet(["devcloud", "stop"])
            clear(VOLUMES)

    def _prepare(self) -> None:
        self._step("A cloud on this machine, and the real `cdk bootstrap`")
        self._fanfold(["devcloud", "start", "--port", "0", "--bootstrap"], "cloud")
        if not (self.work / "lite0-1.1.0.tar.gz").is_file():
            self._step("The demo model: EfficientNet-Lite0 as MXNet, two versions")
            self._device(["-m", "models.build_demo", "--out", str(self.work)], "model built")
        self._step(f"{self.images} photographs, two cameras")
        photos = ["--out", str(self.work / "photos"), "--count", str(self.images)]
        shutil.rmtree(self.work / "photos", ignore_errors=True)
        self._device(["-m", "models.demo_images", *photos], "photographs")

    def _publish(self) -> list[str]:
        self._step("Both model packages to S3")
        names = ("lite0-1.0.0.tar.gz", "lite0-1.1.0.tar.gz")
        return [
            self._fanfold(["model", "publish", str(self.work / n), "--bucket", BUCKET], None)
            for n in names
        ]

    def _deploy(self, uri: str, measure: str) -> str:
        """The real `cdk deploy`; returns the id of the group."""
        self._step(f"cdk deploy {self.site} -c model={uri}")
        said = self._fanfold(["deploy", self.site, "--model", uri], measure, show=False)
        for line in said.splitlines():
            if line.startswith(f"{self.site}.") or "Deployment time" in line:
                output.out.print(f"  {line.strip()}", markup=False)
        return output_of(said, "GroupId", self.site)

    def _core(self) -> None:
        self._step("The embedded core pulls the group and starts its functions")
        ports = ["--mqtt-plain-port", "0", "--ipc-port", "0", "--http-port", "0"]
        self._fanfold(["run", self.site, "--detach", "--poll-s", "0.5", *ports], "core ready")
        self._fanfold(["status", self.site], None, worst=1)

    def _send(self, what: str, until: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
        """Listens for results, waits `until` it may go on, sends."""
        self._step(f"Photographs to the local topic, ordered results back ({what})")
        command = ["results", self.site, "--json", "-n", str(self.images)]
        reader = subprocess.Popen(
            self._command([*command, "--timeout-s", str(RESULT_TIMEOUT_S)]),
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        said = reader.stderr.readline() if reader.stderr is not None else ""
        if LISTENING not in said:
            raise UserError(f"`fanfold results` did not start to listen: {said.strip()}", FAILED)
        until()
        started = time.monotonic()
        with ThreadPoolExecutor(1) as reading:
            arriving = reading.submit(_lines, reader)
            self._fanfold(["send", str(self.work / "photos"), "--site", self.site], None)
            lines, self.first_result_at = arriving.result(timeout=RESULT_TIMEOUT_S * 2)
        self.measured[f"{what}: {self.images} images"] = time.monotonic() - started
        records = [json.loads(line) for line in lines]
        output.out.print(table_of(records, names_of(self.work / "photos"), SHOWN))
        return records

    def _await_model(self, version: str) -> None:
        """Until every worker has said hello with the new model."""
        deadline = time.monotonic() + RESULT_TIMEOUT_S
        started = time.monotonic()
        while time.monotonic() < deadline:
            core = running.read(self.state / "core" / self.site)
            if core is not None and _versions(core.get("/api/status")) == {version}:
                self.measured["core switched to the new model"] = time.monotonic() - started
                return
            time.sleep(0.2)
        raise UserError(f"no worker runs model {version} after {RESULT_TIMEOUT_S} s", FAILED)

    def _show_cloud(self, records: list[dict[str, Any]]) -> set[tuple[str, int]]:
        self._step("What reached the cloud, and what it took")
        sent = {(r["stream"], r["seq"]) for r in records}
        landed = self._await_landed(sent)
        output.out.print(
            f"  s3://{self._store().bucket}: {len(landed)} records for {len(sent)} images,"
            f" {len(sent - landed)} missing"
        )
        for what, seconds in self.measured.items():
            output.out.print(f"  {seconds:6.1f} s  {what}")
        return landed

    def _judge(
        self,
        runs: list[list[dict[str, Any]]],
        groups: tuple[str, str],
        landed: set[tuple[str, int]],
    ) -> dict[str, Any]:
        """The demo checks itself: exit status 0 only when nothing is wrong."""
        outcome = judge(runs, self.images, groups, landed) | {"seconds": self.measured}
        outcome |= self._further_facts()
        path = PROJECT / "build" / self.outcome_file
        path.write_text(json.dumps(outcome, indent=1) + "\n", encoding="utf-8")
        wrong = [*complaints(outcome), *self._further_complaints(outcome)]
        said = "; ".join(wrong) or "every image has one result, in order, from the right model"
        output.out.print(
            f"\n[bold]{'✗' if wrong else '✓'}[/bold] {said}  (build/{self.outcome_file})"
        )
        if wrong:
            raise UserError(f"the demo failed: {said}", FAILED)
        return outcome

    def _further_facts(self) -> dict[str, Any]:
        """What another target's demo measures beside."""
        return {}

    def _further_complaints(self, outcome: dict[str, Any]) -> list[str]:  # noqa: ARG002
        return []

    def _await_landed(self, sent: set[tuple[str, int]]) -> set[tuple[str, int]]:
        """What is in the bucket, once all is or the time is up: batches wait up to a second."""
        cloud = find_cloud(self.state / "devcloud")
        if cloud is None:
            raise UserError("the development cloud ended; see its server.log", FAILED)
        deadline = time.monotonic() + CLOUD_TIMEOUT_S
        while True:
            landed = landed_in(cloud.client("s3"), self._store())
            if sent <= landed or time.monotonic() > deadline:
                return landed
            time.sleep(0.2)

    def _store(self) -> ResultsStore:
        found = store_of(read_site(self.site)[0])
        if found is None:
            raise UserError(
                f"site {self.site} stores no results; see cloud.store in its file", INVALID
            )
        return found

    def _step(self, words: str) -> None:
        output.out.print(f"\n[bold]▸ {words}[/bold]")

    def _fanfold(
        self, arguments: list[str], measure: str | None, *, show: bool = True, worst: int = 0
    ) -> str:
        return self._run(self._command(arguments), measure, show=show, worst=worst)

    def _device(self, arguments: list[str], measure: str) -> str:
        python = device_python()
        if python is None:
            raise UserError("no interpreter for the Lambdas. Run `make setup`.", MISSING)
        return self._run([str(python), *arguments], measure)

    def _run(
        self, command: list[str], measure: str | None, *, show: bool = True, worst: int = 0
    ) -> str:
        """Its output. Raises UserError where it ends with more than `worst`."""
        started = time.monotonic()
        done = subprocess.run(
            command, cwd=PROJECT, env=self._environment(),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        if not 0 <= done.returncode <= worst:
            raise UserError(f"{' '.join(command[1:])} ended with {done.returncode}:\n{done.stdout}")
        if measure:
            self.measured[measure] = time.monotonic() - started
        if show:
            for line in done.stdout.splitlines():
                output.out.print(f"  {line}", markup=False)
        lines = done.stdout.strip().splitlines()
        return done.stdout if not show else (lines[-1] if lines else "")

    def _quiet(self, arguments: list[str]) -> None:
        subprocess.run(
            self._command(arguments), env=self._environment(), capture_output=True, check=False
        )

    def _command(self, arguments: list[str]) -> list[str]:
        return [sys.executable, "-m", "fanfold.main", *arguments]

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
        return {**os.environ, "FANFOLD_STATE": str(self.state), "PYTHONPATH": path}


def _lines(reader: subprocess.Popen[str]) -> tuple[list[str], float]:
    """All that `reader` prints until it ends, and the Unix time of the first line."""
    lines: list[str] = []
    first_at = 0.0
    for line in reader.stdout or ():
        first_at = first_at or time.time()
        lines.append(line)
    reader.communicate()
    return lines, first_at


def _versions(status: dict[str, Any]) -> set[str]:
    workers = (status["stats"].get("splitter") or {}).get("workers") or {}
    return {(w.get("model") or {}).get("version", "?") for w in workers.values()}


def output_of(said: str, name: str, site: str) -> str:
    """A stack output from what `cdk deploy` printed."""
    lines = (line.strip() for line in said.splitlines())
    prefix = f"{site}.{name} = "
    return next((line[len(prefix) :] for line in lines if line.startswith(prefix)), "")


def landed_in(s3: Any, store: ResultsStore) -> set[tuple[str, int]]:
    """(stream, seq) of every record in the bucket: the key that makes a resend harmless."""
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=store.bucket, Prefix=store.batches_prefix
    )
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    batches = [json.load(s3.get_object(Bucket=store.bucket, Key=key)["Body"]) for key in keys]
    return {(r["stream"], r["seq"]) for batch in batches for r in batch["results"]}

"""The parts of `fanfold demo` that judge: keys are found where they are, versions by run."""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from fanfold.demo.evidence import search
from fanfold.demo.iot import damaged
from fanfold.demo.outcome import complaints, judge
from fanfold.demo.run import Demo

SECRET = "wJalrXUtnFEMI/K7MDENG/example"


def started(*command: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*command], env={"PATH": "/usr/bin:/bin", **environment})


@dataclass
class Prepared(Demo):
    """Notes what it would start."""

    started: list[list[str]] = field(default_factory=list)

    def _fanfold(self, arguments: list[str], *_: object, **__: object) -> str:
        self.started.append(arguments)
        return ""

    def _device(self, arguments: list[str], measure: str) -> str:
        self.started.append(arguments)
        return measure

    @property
    def modules(self) -> list[str]:
        """What the device's interpreter was given."""
        self._prepare()
        return [arguments[1] for arguments in self.started if arguments[0] == "-m"]


def record(seq: int, version: str) -> dict:
    return {"stream": "cam1", "seq": seq, "model": {"version": version}}


def test_a_key_in_the_environment_of_what_the_core_started_is_found(tmp_path: Path) -> None:
    script = f"AWS_SECRET_ACCESS_KEY={SECRET} sleep 60 & echo $! > {tmp_path}/child; wait"
    parent = started("sh", "-c", script)
    try:
        while not (tmp_path / "child").is_file() or not (tmp_path / "child").read_text().strip():
            assert parent.poll() is None
        child = (tmp_path / "child").read_text().strip()
        while b"SECRET" not in Path(f"/proc/{child}/environ").read_bytes():
            assert parent.poll() is None
        found = search(parent.pid, (), ()).found
    finally:
        subprocess.run(["kill", child, str(parent.pid)], check=False)
        parent.wait()

    assert found == (f"environment of process {child}",)


def test_the_operators_key_in_a_file_is_found_and_a_clean_device_is_clean(tmp_path: Path) -> None:
    process = started("sleep", "60")
    try:
        (tmp_path / "core.log").write_text("all is well")
        clean = search(process.pid, (tmp_path,), (SECRET,))
        (tmp_path / "deep").mkdir()
        (tmp_path / "deep" / "settings").write_text(f"key = {SECRET}")
        leaking = search(process.pid, (tmp_path,), (SECRET,))
    finally:
        process.kill()
        process.wait()

    assert (clean.found, clean.looked_at) == ((), {"environments": 1, "files": 1})
    assert leaking.found == (str(tmp_path / "deep" / "settings"),)


def test_the_bad_model_is_the_good_one_with_one_byte_of_its_parameters_changed() -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for name in ("model.json", "net-0000.params"):
            entry = tarfile.TarInfo(name)
            entry.size = 9
            archive.addfile(entry, io.BytesIO(b"123456789"))

    with tarfile.open(fileobj=io.BytesIO(damaged(whole.getvalue()))) as archive:
        content = {each.name: archive.extractfile(each).read() for each in archive}

    assert content["model.json"] == b"123456789"
    changed = zip(content["net-0000.params"], b"123456789", strict=True)
    assert sum(one != other for one, other in changed) == 1


def test_all_runs_after_the_first_are_of_the_new_model() -> None:
    runs = [[record(1, "1.0.0")], [record(2, "1.1.0")], [record(3, "1.1.0")]]
    landed = {("cam1", seq) for seq in (1, 2, 3)}
    good = judge(runs, 1, ("g", "g"), landed)
    runs[2] = [record(3, "1.0.0")]

    assert complaints(good) == []
    assert complaints(judge(runs, 1, ("g", "g"), landed)) == ["one run was answered by two models"]


def test_a_first_demo_builds_its_model_and_a_later_one_has_it(tmp_path: Path) -> None:
    demo = Prepared(images=1, work=tmp_path)

    assert demo.modules == ["models.build_demo", "models.demo_images"]
    build = next(each for each in demo.started if "models.build_demo" in each)
    assert build == ["-m", "models.build_demo", "--out", str(tmp_path)]

    (tmp_path / "lite0-1.1.0.tar.gz").touch()
    assert Prepared(images=1, work=tmp_path).modules == ["models.demo_images"]

"""Damaged and hostile archives: unpacked whole, or refused with a reason, and nothing outside."""

from __future__ import annotations

import gzip
import io
import os
import random
import stat
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest
from fuzz_kit import damaged, resident_bytes

from edgecore.disk.archive import ArchiveError, Limits, extract

FILES = {"model.json": b'{"v":1}', "a/weights.params": bytes(3000), "a/b/labels.txt": b"cat\n" * 40}
LIMITS = Limits(max_files=50, max_file_bytes=1 << 20, max_total_bytes=4 << 20)


def tar_bytes(form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def zip_bytes(method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    return out.getvalue()


def variants(chance: random.Random) -> bytes:
    """A damaged archive; a tar is damaged before it is packed, so that the damage arrives."""
    match chance.randrange(4):
        case 0:
            return gzip.compress(damaged(chance, tar_bytes(chance.choice((0, 1, 2)))), 1)
        case 1:
            return damaged(chance, gzip.compress(tar_bytes(), 1))
        case 2:
            return damaged(chance, zip_bytes(zipfile.ZIP_STORED))
        case _:
            return damaged(chance, zip_bytes())


def everything_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "count", [300, pytest.param(20_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_a_damaged_archive_is_unpacked_or_refused_and_leaves_nothing_else(tmp_path, count) -> None:
    chance, reasons, before = random.Random(20261126), [], 0
    inner = tmp_path / "inner"
    inner.mkdir()
    for turn in range(count):
        archive, out = inner / "m", inner / f"out-{turn}"
        archive.write_bytes(variants(chance))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # zipfile warns of names that come twice
                names = extract(archive, out, limits=LIMITS)
        except ArchiveError as error:
            reasons.append(str(error))
            assert everything_below(tmp_path) == {"inner", "inner/m"}
            continue
        found = [path for path in out.rglob("*") if not path.is_dir()]
        assert {str(path.relative_to(out)) for path in found} == set(names)
        assert all(stat.S_ISREG(path.lstat().st_mode) for path in found)
        for path in sorted(out.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        out.rmdir()
        before = before or resident_bytes(os.getpid())
    assert count // 4 < len(reasons) < count
    assert all(reason.startswith("m: ") for reason in reasons)
    assert resident_bytes(os.getpid()) - before < 20 << 20


def zip_member(name: str, mode: int = 0o100644, content: bytes = b"x", times: int = 1) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("model.json", b"{}")
        for _ in range(times):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, mode << 16
            archive.writestr(info, content)
    return out.getvalue()


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", times: int = 1) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for at in ("model.json", *[name] * times):
            info = tarfile.TarInfo(at)
            if at == name:
                info.type, info.linkname = kind, target
            info.size = 0
            archive.addfile(info)
    return out.getvalue()


SLIPS = {
    "leads outside": (tar_member("../evil"), zip_member("../evil")),
    "leads outside further in": (tar_member("a/../../evil"), zip_member("a/../../evil")),
    "is absolute": (tar_member("/tmp/evil"), zip_member("/tmp/evil")),
    "names a drive": (tar_member("C:/evil"), zip_member("C:/evil")),
    "has backslashes": (tar_member("a\\..\\..\\evil"), zip_member("a\\..\\..\\evil")),
    "is a link": (
        tar_member("evil", tarfile.SYMTYPE, "/etc"), zip_member("evil", 0o120777, b"/etc")),
    "is a hard link, or a socket": (
        tar_member("evil", tarfile.LNKTYPE, "model.json"), zip_member("evil", 0o140644)),
    "is a FIFO": (tar_member("evil", tarfile.FIFOTYPE), zip_member("evil", 0o010644)),
    "is a device": (tar_member("evil", tarfile.CHRTYPE), zip_member("evil", 0o020644)),
    "comes twice": (tar_member("evil", times=2), zip_member("evil", times=2)),
    "lies below a file": (tar_member("model.json/evil"), zip_member("model.json/evil")),
    "has a control character": (tar_member("evil\x1b[2J"), zip_member("evil\x1b[2J")),
}  # fmt: skip


@pytest.mark.parametrize("form", [0, 1], ids=["tar", "zip"])
@pytest.mark.parametrize("kind", SLIPS)
def test_a_member_that_slips_refuses_the_whole_archive(
    tmp_path: Path, kind: str, form: int
) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "m").write_bytes(SLIPS[kind][form])
    with pytest.raises(ArchiveError, match=r"m: .{10,}"):
        extract(inner / "m", inner / "out", limits=LIMITS)
    assert everything_below(tmp_path) == {"inner", "inner/m"}

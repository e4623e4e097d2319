from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import archives
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.disk.archive import ArchiveError, Limits, extract, safe_name

FILES = {"model.json": b"{}", "a/b.params": bytes(range(256)) * 400}


def _below(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*")}


@pytest.mark.parametrize("make", [archives.tar, archives.zipped])
def test_a_plain_archive_arrives_byte_for_byte(tmp_path: Path, make) -> None:
    names = extract(make(tmp_path / "m", FILES), tmp_path / "out")

    assert set(names) == set(FILES)
    assert {n: (tmp_path / "out" / n).read_bytes() for n in names} == FILES


@pytest.mark.parametrize("fmt", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_common_tar_dialect_is_read(tmp_path: Path, fmt: int) -> None:
    long_name = "/".join(["folder-with-a-name"] * 9) + "/äöü.txt"
    with tarfile.open(tmp_path / "m", "w:gz", format=fmt) as archive:
        for name in ("./x", long_name):
            info = tarfile.TarInfo(name)
            info.size = 3
            info.mtime = 1.5 if fmt == tarfile.PAX_FORMAT else 1
            archive.addfile(info, io.BytesIO(b"abc"))

    assert set(extract(tmp_path / "m", tmp_path / "out")) == {"x", long_name}


def test_an_executable_stays_executable_and_nothing_else_of_its_mode(tmp_path: Path) -> None:
    info = tarfile.TarInfo("run")
    info.mode = 0o6755
    archives.tar(tmp_path / "m", {}, members=[info])

    extract(tmp_path / "m", tmp_path / "out")

    assert (tmp_path / "out" / "run").stat().st_mode & 0o7777 in (0o755, 0o750, 0o700)


HOSTILE_MEMBERS = {
    "symbolic link": archives.tar_member("link", tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": archives.tar_member("link", tarfile.LNKTYPE, "model.json"),
    "FIFO": archives.tar_member("pipe", tarfile.FIFOTYPE),
    "character device": archives.tar_member("null", tarfile.CHRTYPE),
    "block device": archives.tar_member("disk", tarfile.BLKTYPE),
    "twice": tarfile.TarInfo("model.json"),
    "which is a file": tarfile.TarInfo("model.json/below"),
}


@pytest.mark.parametrize("reason", HOSTILE_MEMBERS)
def test_a_hostile_member_refuses_the_whole_archive(tmp_path: Path, reason: str) -> None:
    archives.tar(tmp_path / "m", FILES, members=[HOSTILE_MEMBERS[reason]])

    with pytest.raises(ArchiveError, match=reason):
        extract(tmp_path / "m", tmp_path / "out")

    assert _below(tmp_path) == {"m"}


TRAVERSALS = [
    "../evil", "a/../../evil", "/etc/evil", "//evil", "a\\..\\evil", "C:/evil", "..",
    "a/..", "./../evil", "evil\n", "a/\x01", "x" * 300,
]  # fmt: skip


@pytest.mark.parametrize("make", [archives.tar, archives.zipped])
@pytest.mark.parametrize("name", TRAVERSALS)
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, make, name: str) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    archive = make(inner / "m", {name: b"evil"})

    with pytest.raises(ArchiveError):
        extract(archive, inner / "out")

    assert _below(tmp_path) == {"inner", "inner/m"}


def test_a_symbolic_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="symbolic link"):
        extract(archives.zip_link(tmp_path / "m", "link", "/etc"), tmp_path / "out")


@pytest.mark.parametrize("make", [archives.tar, archives.zipped])
def test_a_bomb_is_stopped_by_its_ratio_early(tmp_path: Path, make) -> None:
    archive = make(tmp_path / "m", {"zeros": bytes(64 << 20)})

    with pytest.raises(ArchiveError, match="bomb"):
        extract(archive, tmp_path / "out")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(max_files=1), "more than 1 files"),
        (Limits(max_file_bytes=1000), "larger than 1000"),
        (Limits(max_total_bytes=1000), "more than 1000 bytes"),
    ],
)
@pytest.mark.parametrize("make", [archives.tar, archives.zipped])
def test_each_limit_is_kept(tmp_path: Path, make, limits: Limits, reason: str) -> None:
    with pytest.raises(ArchiveError, match=reason):
        extract(make(tmp_path / "m", FILES), tmp_path / "out", limits=limits)


@pytest.mark.parametrize("make", [archives.tar, archives.zipped])
def test_limits_are_inclusive(tmp_path: Path, make) -> None:
    total = sum(map(len, FILES.values()))
    limits = Limits(max_files=2, max_total_bytes=total, max_file_bytes=len(FILES["a/b.params"]))

    assert extract(make(tmp_path / "m", FILES), tmp_path / "out", limits=limits)


@pytest.mark.parametrize("make", [archives.tar, archives.zipped])
def test_a_truncated_archive_leaves_nothing(tmp_path: Path, make) -> None:
    whole = make(tmp_path / "whole", FILES).read_bytes()
    for keep in range(0, len(whole) - 30, max(1, len(whole) // 23)):
        (tmp_path / "cut").write_bytes(whole[:keep])
        with pytest.raises(ArchiveError):
            extract(tmp_path / "cut", tmp_path / "out")

    assert _below(tmp_path) == {"whole", "cut"}


def test_a_huge_pax_header_is_refused_before_it_is_read(tmp_path: Path) -> None:
    header = bytearray(tarfile.TarInfo("x").tobuf(format=tarfile.USTAR_FORMAT)[:512])
    header[156:157] = b"x"
    header[124:136] = b"77777777777\0"
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "m").write_bytes(gzip.compress(bytes(header) + bytes(1 << 20)))

    with pytest.raises(ArchiveError, match="header extension"):
        extract(tmp_path / "m", tmp_path / "out")


def repeated_header(kind: bytes, times: int, name: str = "x", content: bytes = b"") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content)
    padded = content + bytes(-len(content) % 512)
    return (info.tobuf(format=tarfile.USTAR_FORMAT) + padded) * times


def test_a_chain_of_header_extensions_is_refused_before_it_fills_the_stack(tmp_path: Path) -> None:
    chain = repeated_header(tarfile.GNUTYPE_LONGNAME, 5000, "././@LongLink", b"name\0")
    (tmp_path / "m").write_bytes(gzip.compress(chain + repeated_header(tarfile.REGTYPE, 1)))

    with pytest.raises(ArchiveError, match="header extension"):
        extract(tmp_path / "m", tmp_path / "out")


@pytest.mark.parametrize("depth", [1, 20])
def test_a_small_archive_does_not_make_folders_without_end(tmp_path: Path, depth: int) -> None:
    names = [f"{n}/" + "/".join("d" * depth) for n in range(400 // depth)]
    with tarfile.open(tmp_path / "m", "w:gz") as archive:
        for name in names:
            archive.addfile(archives.tar_member(name, tarfile.DIRTYPE))

    with pytest.raises(ArchiveError, match="more than 300 folders"):
        extract(tmp_path / "m", tmp_path / "out", limits=Limits(max_folders=300))
    assert _below(tmp_path) == {"m"}
    assert Limits().max_folders <= 10_000


def test_headers_of_the_whole_archive_have_a_budget(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("edgecore.disk.archive_tar._MAX_HEADER_BYTES", 20 * 512)
    archives.tar(tmp_path / "m", {f"{n}": b"x" for n in range(30)})

    with pytest.raises(ArchiveError, match="bytes of headers"):
        extract(tmp_path / "m", tmp_path / "out")


def test_a_damaged_header_is_not_the_end_of_the_archive(tmp_path: Path) -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name in ("first", "second"):
            archive.addfile(tarfile.TarInfo(name))
    damaged = bytearray(plain.getvalue())
    damaged[512] ^= 1
    (tmp_path / "m").write_bytes(gzip.compress(bytes(damaged)))

    with pytest.raises(ArchiveError, match="checksum"):
        extract(tmp_path / "m", tmp_path / "out")


def test_an_encrypted_zip_is_named_as_such(tmp_path: Path) -> None:
    data = bytearray(archives.zipped(tmp_path / "m", {"a": b"x"}).read_bytes())
    data[6] |= 1
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "m").write_bytes(data)

    with pytest.raises(ArchiveError, match="encrypted"):
        extract(tmp_path / "m", tmp_path / "out")


def test_an_empty_archive_and_other_formats_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty", "w"):
        pass
    (tmp_path / "text").write_text("hello")

    for name in ("empty", "text"):
        with pytest.raises(ArchiveError):
            extract(tmp_path / name, tmp_path / "out")


def test_an_existing_target_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ArchiveError, match="exists already"):
        extract(archives.tar(tmp_path / "m", FILES), tmp_path / "out")


@given(st.text(max_size=40))
def test_a_safe_name_never_leaves_its_folder(raw: str) -> None:
    try:
        name = safe_name(raw)
    except ArchiveError:
        return

    parts = name.split("/") if name else []
    assert all(part not in ("", ".", "..") for part in parts)
    assert "\0" not in name


@given(st.binary(max_size=3000))
def test_arbitrary_bytes_are_refused_not_crashed_on(tmp_path_factory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    for wrapped in (data, gzip.compress(data), b"PK\x03\x04" + data):
        (folder / "m").write_bytes(wrapped)
        try:
            extract(folder / "m", folder / "out")
        except ArchiveError:
            continue
        pytest.fail("random bytes were taken for an archive")

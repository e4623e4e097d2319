"""What a message may name: regular files below the volume, and nothing else."""

from __future__ import annotations

import errno
import os

import pytest

from lambdas.common.paths import PathError, read_inside


@pytest.fixture
def volume(tmp_path):
    root = tmp_path / "images"
    (root / "cam1").mkdir(parents=True)
    (root / "cam1" / "a.jpg").write_bytes(b"pixels")
    (tmp_path / "secret").write_bytes(b"secret")
    return root


def test_a_file_below_the_volume_is_read(volume):
    assert read_inside(str(volume), "cam1/a.jpg", 100) == b"pixels"


@pytest.mark.parametrize(
    "path",
    ["../secret", "cam1/../../secret", "/etc/passwd", "cam1//a.jpg", "./cam1/a.jpg", "", ".",
     "cam1/a.jpg/..", "cam1/\0", "x" * 1_025],
)  # fmt: skip
def test_a_path_that_leaves_or_respells_is_outside(volume, path):
    with pytest.raises(PathError) as refused:
        read_inside(str(volume), path, 100)
    assert refused.value.reason == "outside_volume"


@pytest.mark.parametrize("link", ["cam1/link.jpg", "linked/a.jpg"])
def test_a_symbolic_link_leads_nowhere_even_to_the_inside(volume, link):
    (volume / "cam1" / "link.jpg").symlink_to(volume.parent / "secret")
    (volume / "linked").symlink_to(volume / "cam1")
    with pytest.raises(PathError) as refused:
        read_inside(str(volume), link, 100)
    assert refused.value.reason == "outside_volume"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused_without_waiting(volume, make):
    make(str(volume / "cam1" / "odd"))
    with pytest.raises(PathError) as refused:
        read_inside(str(volume), "cam1/odd", 100)
    assert refused.value.reason == "not_a_file"


@pytest.mark.parametrize("path", ["cam1/b.jpg", "cam9/a.jpg", "cam1/a.jpg/b", "y" * 300])
def test_a_missing_file_is_not_found(volume, path):
    with pytest.raises(PathError) as refused:
        read_inside(str(volume), path, 100)
    assert refused.value.reason == "not_found"


def test_the_size_limit_is_exact(volume):
    assert read_inside(str(volume), "cam1/a.jpg", 6) == b"pixels"
    with pytest.raises(PathError) as refused:
        read_inside(str(volume), "cam1/a.jpg", 5)
    assert refused.value.reason == "too_large"


# What was accepted


def accepted_of(volume):
    status = (volume / "cam1" / "a.jpg").stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def test_a_file_as_it_was_accepted_is_read_with_one_look_at_it(volume, monkeypatch):
    accepted, looked, real = accepted_of(volume), [], os.fstat
    monkeypatch.setattr(os, "fstat", lambda fd: looked.append(fd) or real(fd))
    assert read_inside(str(volume), "cam1/a.jpg", 100, accepted) == b"pixels"
    assert len(looked) == 1


def rewrite(path):
    """As many bytes, in the same file."""
    path.write_bytes(b"PIXELS")
    os.utime(path, ns=(1, 1))


def replace(path):
    """As many bytes at the same time, in another file."""
    status = path.stat()
    path.with_name("other").write_bytes(b"PIXELS")
    path.with_name("other").replace(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    "change", [rewrite, replace, lambda p: p.write_bytes(b"pix"), lambda p: p.write_bytes(b"p" * 9)]
)
def test_a_file_that_is_another_one_than_was_accepted_is_changed(volume, change):
    accepted = accepted_of(volume)
    change(volume / "cam1" / "a.jpg")
    with pytest.raises(PathError) as refused:
        read_inside(str(volume), "cam1/a.jpg", 100, accepted)
    assert refused.value.reason == "changed"


@pytest.mark.parametrize("content", [b"PIXELS", b"pix", b"pixels and more"])
def test_a_file_that_is_written_while_it_is_read_is_changed(volume, monkeypatch, content):
    accepted, real = accepted_of(volume), os.read

    def read(descriptor, most):
        found = real(descriptor, most)
        (volume / "cam1" / "a.jpg").write_bytes(content)
        os.utime(volume / "cam1" / "a.jpg", ns=(1, 1))
        return found

    monkeypatch.setattr(os, "read", read)
    with pytest.raises(PathError) as refused:
        read_inside(str(volume), "cam1/a.jpg", 100, accepted)
    assert refused.value.reason == "changed"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_in_an_accepted_ones_place_is_refused_without_waiting(volume, make):
    accepted = accepted_of(volume)
    (volume / "cam1" / "a.jpg").unlink()
    make(str(volume / "cam1" / "a.jpg"))
    with pytest.raises(PathError) as refused:
        read_inside(str(volume), "cam1/a.jpg", 100, accepted)
    assert refused.value.reason == "not_a_file"


def test_the_machines_trouble_with_an_accepted_file_says_nothing_about_it(volume, monkeypatch):
    def read(descriptor, most):
        raise OSError(errno.EIO, "I/O error")

    accepted = accepted_of(volume)
    monkeypatch.setattr(os, "read", read)
    with pytest.raises(OSError, match="I/O error") as failed:
        read_inside(str(volume), "cam1/a.jpg", 100, accepted)
    assert failed.value.errno == errno.EIO


def test_an_accepted_file_above_a_lowered_limit_is_too_large(volume):
    with pytest.raises(PathError) as refused:
        read_inside(str(volume), "cam1/a.jpg", 5, accepted_of(volume))
    assert refused.value.reason == "too_large"

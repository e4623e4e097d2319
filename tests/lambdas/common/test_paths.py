"""What a message may name: regular files below the volume, and nothing else."""

from __future__ import annotations

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

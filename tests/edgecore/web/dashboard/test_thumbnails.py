from __future__ import annotations

import asyncio
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from dashboard_replay import jpeg

from edgecore.web.dashboard.thumbnails import (
    MAX_PASSED_BYTES,
    MAX_SIDE_PX,
    Image,
    NoThumbnailError,
    Thumbnails,
    shrink,
)


def size(content: bytes) -> tuple[int, int]:
    height, width, _, _ = simplejpeg.decode_jpeg_header(content)
    return width, height


def get(folder: Path, file: str) -> bytes:
    return asyncio.run(Thumbnails(str(folder)).get(Image("cam1", 1, file))).content


@pytest.mark.parametrize("shape", [(1280, 960), (960, 1280), (481, 480), (4000, 90), (1, 1)])
def test_no_side_is_longer_than_asked_and_the_shape_stays(shape: tuple[int, int]) -> None:
    width, height = size(shrink(jpeg(*shape), MAX_SIDE_PX).content)

    assert max(width, height) <= MAX_SIDE_PX
    assert width / height == pytest.approx(shape[0] / shape[1], rel=0.15)


def test_a_small_image_is_not_made_larger() -> None:
    assert size(shrink(jpeg(100, 60), MAX_SIDE_PX).content) == (100, 60)


def test_a_40_megapixel_image_is_never_decoded_whole() -> None:
    flat = np.full((5504, 7296, 3), 90, np.uint8)
    content = simplejpeg.encode_jpeg(flat, quality=70)
    del flat
    tracemalloc.start()
    picture = shrink(content, MAX_SIDE_PX)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert max(size(picture.content)) <= MAX_SIDE_PX
    assert peak < 20_000_000  # whole, it would be 120 MB


def test_a_jpeg_that_claims_65535_pixels_square_is_refused_by_its_header() -> None:
    content = bytearray(jpeg(64, 64))
    start = content.index(b"\xff\xc0") + 5
    content[start : start + 4] = struct.pack(">HH", 65_500, 65_500)

    with pytest.raises(NoThumbnailError, match="limit 120000000"):
        shrink(bytes(content), MAX_SIDE_PX)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0 broken", b"GIF89a"])
def test_what_is_not_an_image_is_said_to_be_none(content: bytes) -> None:
    with pytest.raises(NoThumbnailError):
        shrink(content, MAX_SIDE_PX)


def test_a_small_png_is_passed_on_and_a_large_one_refused() -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(100)

    assert shrink(png, MAX_SIDE_PX).media_type == "image/png"
    with pytest.raises(NoThumbnailError, match="limit"):
        shrink(png + bytes(MAX_PASSED_BYTES), MAX_SIDE_PX)


@pytest.mark.parametrize("file", ["../secret.jpg", "/etc/hostname", "a/../../secret.jpg"])
def test_a_file_outside_the_volume_is_not_read(tmp_path: Path, file: str) -> None:
    volume = tmp_path / "images"
    volume.mkdir()
    (tmp_path / "secret.jpg").write_bytes(jpeg(64, 64))

    with pytest.raises(NoThumbnailError, match="outside"):
        get(volume, file)


def test_a_link_out_of_the_volume_is_not_followed(tmp_path: Path) -> None:
    volume = tmp_path / "images"
    volume.mkdir()
    (tmp_path / "secret.jpg").write_bytes(jpeg(64, 64))
    (volume / "a.jpg").symlink_to(tmp_path / "secret.jpg")

    with pytest.raises(NoThumbnailError, match="outside"):
        get(volume, "a.jpg")


def test_a_picture_outlives_its_file_and_a_reused_name_is_another_image(tmp_path: Path) -> None:
    async def scenario() -> tuple[bytes, bytes, bytes]:
        thumbnails = Thumbnails(str(tmp_path))
        (tmp_path / "a.jpg").write_bytes(jpeg(64, 64, seed=1))
        first = await thumbnails.get(Image("cam1", 1, "a.jpg"))
        (tmp_path / "a.jpg").write_bytes(jpeg(64, 64, seed=2))
        second = await thumbnails.get(Image("cam1", 2, "a.jpg"))
        (tmp_path / "a.jpg").unlink()
        again = await thumbnails.get(Image("cam1", 1, "a.jpg"))
        return first.content, second.content, again.content

    first, second, again = asyncio.run(scenario())
    assert first == again != second


def test_a_file_that_is_gone_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoThumbnailError, match="No such file"):
        get(tmp_path, "gone.jpg")


def test_a_group_without_an_images_volume_says_so() -> None:
    with pytest.raises(NoThumbnailError, match="FANFOLD_IMAGES_DIR"):
        asyncio.run(Thumbnails("").get(Image("cam1", 1, "a.jpg")))

"""What cameras send: understood, or refused with the reason that the spec gives."""

from __future__ import annotations

import base64
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from splitter_kit import JPEG, PNG, event

from contract import messages as m
from lambdas.splitter.intake import MAX_IMAGE_BYTES, claimed_id, read_event


@pytest.fixture
def volume(tmp_path):
    (tmp_path / "cam1").mkdir()
    (tmp_path / "cam1" / "a.jpg").write_bytes(JPEG)
    (tmp_path / "cam1" / "link.jpg").symlink_to("/etc/passwd")
    os.mkfifo(str(tmp_path / "cam1" / "pipe.jpg"))
    with (tmp_path / "cam1" / "huge.jpg").open("wb") as file:
        file.truncate(MAX_IMAGE_BYTES + 1)
    return str(tmp_path)


def reason(payload, volume):
    with pytest.raises(m.MessageError) as refused:
        read_event(payload, volume)
    return refused.value.reason


@pytest.mark.parametrize(
    ("content", "suffix"),
    [(JPEG, ".jpg"), (PNG, ".png"), (b"RIFF....WEBPVP8 ", ".webp"), (b"BM......", ".bmp")],
)
def test_an_image_is_told_from_an_event_by_its_first_bytes(content, suffix, volume):
    read = read_event(content, volume)
    assert (read.content, read.suffix, read.files) == (content, suffix, [])


def test_the_same_image_has_the_same_id_raw_and_in_base64(volume):
    wrapped = event(image_b64=base64.b64encode(JPEG).decode())
    assert read_event(JPEG, volume).id == read_event(wrapped, volume).id


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"file": "../etc/passwd"}, "outside_volume"),
        ({"file": "/etc/passwd"}, "outside_volume"),
        ({"file": ".fanfold/volume"}, "outside_volume"),
        ({"file": "cam1/link.jpg"}, "outside_volume"),
        ({"file": "cam1/pipe.jpg"}, "not_a_file"),
        ({"file": "cam1"}, "not_a_file"),
        ({"file": "cam1/none.jpg"}, "not_found"),
        ({"file": "cam1/huge.jpg"}, "too_large"),
        ({"file": "a" * 1_025}, "malformed"),
        ({"file": "cam1/\x01.jpg"}, "not_found"),
        ({"file": "cam1/\udce9.jpg"}, "not_found"),
        ({"file": "cam1/\x00.jpg"}, "malformed"),
        ({"file": "cam1/\ud800.jpg"}, "malformed"),
        ({"file": ""}, "malformed"),
        ({"file": 7}, "malformed"),
        ({"files": []}, "malformed"),
        ({"files": "cam1/a.jpg"}, "malformed"),
        ({"files": ["cam1/a.jpg"], "file": "cam1/a.jpg"}, "malformed"),
        ({}, "malformed"),
        ({"file": "cam1/a.jpg", "id": "has space"}, "malformed"),
        ({"file": "cam1/a.jpg", "id": "x" * 129}, "malformed"),
        ({"file": "cam1/a.jpg", "job": ["j"]}, "malformed"),
        ({"file": "cam1/a.jpg", "job": "j" * 65}, "malformed"),
        ({"file": "cam1/a.jpg", "job": "\ud800"}, "malformed"),
        ({"file": "cam1/a.jpg", "ts": "\udce9"}, "malformed"),
        ({"file": "cam1/a.jpg", "last": "yes"}, "malformed"),
        ({"file": "cam1/a.jpg", "ts": {"s": 1}}, "malformed"),
        ({"file": "cam1/a.jpg", "ts": float("nan")}, "malformed"),
        ({"image_b64": "%%%"}, "malformed"),
        ({"image_b64": 5}, "malformed"),
        ({"image_b64": "aGVsbG8="}, "not_an_image"),
    ],
)
def test_a_bad_event_is_refused_with_its_reason(fields, expected, volume):
    assert reason(event(**fields), volume) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", "not_an_image"),
        (b"hello", "not_an_image"),
        (b"GIF89a", "unsupported"),
        (b"[1, 2]", "malformed"),
        (b"{", "malformed"),
        (b'{"v": 2, "file": "a"}', "unknown_version"),
        (b'{"v": true, "file": "a"}', "unknown_version"),
        (b"\xff\xd8\xff" + bytes(m.MAX_MESSAGE_BYTES), "too_large"),
        ([1, 2], "malformed"),
        (10**12, "malformed"),
        (None, "malformed"),
    ],
)
def test_a_payload_that_is_neither_image_nor_event_is_refused(payload, expected, volume):
    assert reason(payload, volume) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["file", "files", "image_b64", "id", "job", "last", "ts"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
        | st.lists(st.text(max_size=9) | st.integers(), max_size=3),
    )
)  # fmt: skip
def test_any_event_is_understood_or_refused_by_a_known_reason(volume, fields):
    try:
        read = read_event(dict(fields, v=1), volume)
    except m.MessageError as error:
        refused_as = error.reason
    else:
        refused_as = None
    if refused_as:
        assert refused_as in m.REJECTED_REASONS
        return
    # Whatever was understood fits a message in the largest batch that there is.
    assert all(len(m.dumps(name)) <= 2 * m.MAX_PATH_BYTES + 2 for name in read.files)


def test_files_without_an_id_get_a_new_one_when_they_change(volume, tmp_path):
    before = read_event(event(file="cam1/a.jpg"), volume).id
    assert read_event(event(file="cam1/a.jpg"), volume).id == before
    (tmp_path / "cam1" / "a.jpg").write_bytes(JPEG + b"!")
    assert read_event(event(file="cam1/a.jpg"), volume).id != before


@pytest.mark.parametrize(
    ("payload", "claimed"),
    [
        (b'{"v":1,"id":"press7-000123","file":"gone.jpg"}', "press7-000123"),
        ({"v": 1, "id": "press7-000124", "file": "gone.jpg"}, "press7-000124"),
        (b'{"v":1,"id":"not an id","file":"a.jpg"}', ""),
        (b'{"v":1,"id":7}', ""),
        (b"neither image nor JSON", ""),
        (b"[]", ""),
    ],
)
def test_a_refusal_carries_the_id_that_the_sender_gave(payload, claimed):
    assert claimed_id(payload) == claimed


def test_a_refused_image_is_named_by_its_content(volume):
    assert claimed_id(JPEG) == read_event(JPEG, volume).id

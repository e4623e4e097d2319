"""Camera addresses: what is refused, and that no password is ever shown."""

from __future__ import annotations

import pytest

from contract.camera_sources import (
    device_file_of,
    filled,
    kind_of_source,
    problems_of_source,
    secrets_of,
    shown,
)

RIGHT = (
    "rtsp://10.0.0.7/stream1",
    "rtsps://cam.local:322/a?channel=1",
    "rtsp://{secret:cam1}@10.0.0.7:554/stream1",
    "rtsp://admin:{secret:cam1}@[fd00::7]:554/stream1",
    "http://10.0.0.7/snap.jpg?user=joe&pwd={secret:cam1}",
    "https://{secret:a.b}@cam/video",
    "gige://10.0.0.9",
    "v4l2:///dev/v4l/by-id/usb-046d_HD_Pro-video-index0",
)


@pytest.mark.parametrize("source", RIGHT)
def test_right_addresses_have_no_problems(source):
    assert problems_of_source(source) == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("onvif://10.0.0.7/x", "onvif:// is no kind of camera"),
        ("/dev/video0", "names no kind of camera"),
        ("rtsp:///stream", "names no host"),
        ("rtsp://cam:port/x", "cannot be read"),
        ("rtsp://joe:hunter2@cam/x", "holds a password"),
        ("http://cam/snap?pwd=hunter2", "?pwd= holds a secret"),
        ("rtsp://{secret:../etc/passwd}@cam/x", "name a secret by letters"),
        ("gige:///", "names no host"),
        ("gige://10.0.0.9:3956/x", "is its address alone: write gige://10.0.0.9"),
        ("v4l2://dev/video0", "name the device file"),
        ("v4l2:///dev/../etc/shadow", "name the device file"),
    ],
)
def test_wrong_addresses_are_told_with_a_remedy_and_without_the_password(source, said):
    [problem] = problems_of_source(source)

    assert said in problem
    assert "hunter2" not in problem
    assert "write" in problem or "name" in problem


def test_a_secret_is_escaped_for_where_it_stands():
    secret = {"cam1": "joe:p@ss/w:rd"}.__getitem__

    assert filled("rtsp://{secret:cam1}@cam/x", secret) == "rtsp://joe:p%40ss%2Fw%3Ard@cam/x"
    assert filled("rtsp://a:{secret:cam1}@cam/x", secret).startswith("rtsp://a:joe%3Ap%40ss")
    assert filled("http://cam/s?pwd={secret:cam1}", secret).endswith("pwd=joe%3Ap%40ss%2Fw%3Ard")


@pytest.mark.parametrize("source", RIGHT)
def test_what_is_shown_has_neither_login_nor_query(source):
    text = shown(source)

    assert "secret" not in text.lower().replace("stream", "")
    assert "?" not in text
    assert "@" not in text


def test_kinds_device_files_and_secrets_are_read_from_an_address():
    given = ("RTSP://a/b", "https://a", "v4l2:///dev/video0", "gige://a")
    assert [kind_of_source(each) for each in given] == ["rtsp", "http", "usb", "gige"]
    assert device_file_of("v4l2:///dev/video0") == "/dev/video0"
    assert device_file_of("rtsp://cam/x") == ""
    assert secrets_of("http://{secret:a}@cam/?k={secret:b}&l={secret:a}") == ["a", "b"]

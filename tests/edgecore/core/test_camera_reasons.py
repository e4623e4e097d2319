"""What cameras with a source add to the verdict."""

from __future__ import annotations

import pytest

from edgecore.core.verdict import judge


def reasons(**camera):
    status = {"stats": {"grabber": {"part": "grabber", "cameras": {"cam1": camera}}}}
    return [r for r in judge(status)["reasons"] if r["code"].startswith("camera_")]


@pytest.mark.parametrize("state", ["away", "connecting"])
def test_a_camera_without_frames_degrades_after_half_a_minute_and_gates_nothing(state):
    assert reasons(state=state, frame_age_s=29.0) == []
    [reason] = reasons(state=state, frame_age_s=31.0, error="connection refused. Is it on?")

    assert (reason["code"], reason["level"]) == ("camera_away", "degraded")
    assert not reason["blocks"]
    assert not reason["gate"]
    assert "31 s" in reason["problem"]
    assert "refused" in reason["remedy"]


def test_a_frozen_picture_degrades_and_a_live_one_does_not():
    assert [r["code"] for r in reasons(state="frozen", frozen_s=61.0)] == ["camera_frozen"]
    assert reasons(state="live", frame_age_s=0.1) == []


@pytest.mark.parametrize("stray", [{}, {"state": 3, "frame_age_s": "x"}, {"state": "frozen"}])
def test_stray_values_raise_nothing(stray):
    assert len(reasons(**stray)) <= 1

"""Sites with cameras that the device fetches pictures from."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from checkout import PROJECT
from every import every
from plan_samples import plan, profile, site
from pydantic import ValidationError

from infra.planning import check, render

SOURCE = "rtsp://{secret:top}@10.0.0.7/stream1"
USB = "v4l2:///dev/v4l/by-id/usb-cam-index0"


def with_sources(**changed):
    cameras = ({"name": "top", "source": SOURCE, "fps": 2.5}, {"name": "side"})
    return {"cameras": cameras, **changed}


def test_one_grabber_reads_every_source_and_knows_names_of_secrets_only():
    made = plan(**with_sources())

    [grabber] = made.by_role("grabber")
    assert json.loads(grabber.environment["FANFOLD_SOURCES"]) == [
        {"name": "top", "source": SOURCE, "fps": 2.5, "frozen_s": 60.0}
    ]
    assert [device.id for device in made.devices] == ["side", "console"]
    assert not [f for f in check(made) if f.level == "error"]


def test_the_guides_cameras_make_a_group():
    guide = (PROJECT / "docs/guides/cameras.md").read_text("utf-8")
    cameras = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", guide, re.S)[0])["cameras"]

    made = plan(cameras=tuple(cameras))

    assert len(made.site.sourced) == 4
    assert not [f for f in check(made) if f.level == "error"]


def test_a_site_without_sources_has_no_grabber():
    assert plan().by_role("grabber") == ()


@pytest.mark.parametrize("strategy", ["pinned", "decoupled", "pool", "on_demand"])
def test_the_grabber_speaks_for_its_cameras_alone(strategy):
    made = plan(**with_sources(strategy=strategy))
    [grabber] = made.by_role("grabber")

    sends = {each.subject for each in made.subscriptions if each.source == grabber.arn}
    hears = {each.subject for each in made.subscriptions if each.target == grabber.arn}

    assert sends == {"press/images/top", "press/stats"}
    assert hears == {
        "press/images/top/accepted",
        "press/images/top/rejected",
        "press/stats",
    }


def test_a_usb_camera_is_a_device_of_the_grabber_in_a_container():
    cameras = ({"name": "top", "source": USB},)
    made = plan(profile(), cameras=cameras, isolation="container")
    document = render(made)

    devices = [
        r["Id"]
        for r in document["Resources"]
        if r["ResourceDataContainer"].get("LocalDeviceResourceData", {}).get("SourcePath")
        == "/dev/v4l/by-id/usb-cam-index0"
    ]
    assert len(devices) == 1
    having = [f.id for f in made.functions if devices[0] in {p.resource for p in f.policies}]
    assert having == ["grabber"]
    assert not [f for f in check(made) if f.level == "error"]


@pytest.mark.parametrize(
    ("cameras", "said"),
    [
        ([{"name": "a", "source": "onvif://x/y"}], "onvif:// is no kind of camera"),
        ([{"name": "a", "source": "rtsp://joe:hunter2@x/y"}], "holds a password"),
        (
            [{"name": "a", "source": SOURCE}, {"name": "b", "source": SOURCE}],
            "a, b have one source",
        ),
        ([{"name": "a", "fps": 3.0}], "fps is for cameras with a source"),
        (
            [{"name": "a", "source": SOURCE, "certificate": "arn:aws:iot:eu-west-1:1:cert/0"}],
            "certificate",
        ),
        ([{"name": "a", "source": SOURCE, "fps": 0.0}], "greater than 0"),
        ([{"name": "a", "source": SOURCE, "fps": 500.0}], "less than or equal to 120"),
    ],
)
def test_what_is_wrong_is_said_at_synth(cameras, said):
    with pytest.raises(ValidationError) as refused:
        site(cameras=tuple(cameras))

    assert said in str(refused.value)
    assert every("hunter2" not in each["msg"] for each in refused.value.errors())

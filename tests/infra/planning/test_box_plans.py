"""A site with several cores: each box is planned as a site of its own, and they share a bucket."""

from __future__ import annotations

import json

import pytest
import yaml
from plan_samples import PROFILES

from infra.planning import (
    InvalidInput,
    check,
    errors,
    load_place,
    load_site,
    plan_group,
    render,
    store_of,
)

ON_A_GPU = {"memory_kb": 330_000, "gpu_memory_mb": 900, "ms": {"transform": 4.0, "inference": 2.0}}
HALL = {
    "name": "hall",
    "profile": "cpu-gateway-4core",
    "account": "123456789012",
    "region": "us-east-1",
    "core": {"thing": "hall-core"},
    "cores": [
        {
            "name": "b",
            "thing": "box-b",
            "profile": "two-gpu-industrial-pc",
            "footprint": ON_A_GPU,
        }
    ],
    "model": {
        "s3_uri": "s3://greengrass-a/lite0.tar.gz",
        "footprint": {
            "memory_kb": 330_000, "gpu_memory_mb": 900, "ms": {"transform": 8.0, "inference": 16.0},
        },
    },
    "cameras": [{"name": f"cam{i}"} for i in range(1, 7)],
    "volumes": {"images": "/srv/images", "state": "/srv/state"},
}  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def written(**changed):
        path = tmp_path / "hall.yaml"
        path.write_text(yaml.safe_dump({**HALL, **changed}))
        return path

    return written


def test_each_box_is_a_group_of_its_own_and_every_camera_is_in_one(write):
    place = load_place(write(), PROFILES)

    groups = {core: render(plan_group(*box)) for core, box in place.boxes.items()}

    assert [group["Name"] for group in groups.values()] == ["hall", "hall-b"]
    assert groups["hall"]["Core"]["ThingName"] == "hall-core"
    assert groups["b"]["Core"]["ThingName"] == "box-b"
    cameras = [d["Id"] for g in groups.values() for d in g["Devices"] if d["Id"] != "console"]
    assert sorted(cameras) == [f"cam{i}" for i in range(1, 7)]
    assert not set(groups["hall"]["Lambdas"]) & set(groups["b"]["Lambdas"])
    assert not [f for box in place.boxes.values() for f in errors(check(plan_group(*box)))]


def test_cameras_are_dealt_by_what_the_boxes_can_do(write):
    dealt = load_place(write(), PROFILES).dealing

    assert dealt.unit == "images/s"
    assert dealt.capacities["b"] > dealt.capacities["hall"]
    assert len(dealt.of("b")) > len(dealt.of("hall")) >= 1


def test_the_boxes_share_the_bucket_which_the_first_ones_stack_makes(write):
    boxes = load_place(write(), PROFILES).boxes

    first, further = (store_of(box) for box, _ in boxes.values())

    assert first.bucket == further.bucket
    assert (first.created, further.created) == (True, False)
    assert (first.batches_prefix, further.batches_prefix) == (
        "batches/site=hall/", "batches/site=hall-b/",
    )  # fmt: skip


def test_the_first_box_is_rendered_as_if_it_were_alone_with_its_cameras(write):
    both = load_place(write(), PROFILES)
    named = [{"name": camera.name} for camera in both.boxes["hall"][0].cameras]

    alone = load_site(write(cores=[], cameras=named), PROFILES)

    assert render(plan_group(*both.boxes["hall"])) == render(plan_group(*alone))


def test_a_camera_stays_where_it_is_put_by_hand(write):
    cameras = [{"name": "left", "core": "hall"}, {"name": "right"}, {"name": "top", "core": "hall"}]

    place = load_place(write(cameras=cameras), PROFILES)

    assert place.dealing.of("hall") == ["left", "top"]
    assert place.dealing.by_hand == {"left", "top"}


def test_each_box_has_its_own_certificates_file_and_profile(write):
    path = write(certificates="known/hall.json")
    (path.parent / "known").mkdir()
    arn = "arn:aws:iot:us-east-1:123456789012:cert/" + "ab" * 32
    (path.parent / "known/hall-b.json").write_text(json.dumps({"box-b": arn}))

    site, profile = load_site(path, PROFILES, "b")

    assert site.core.certificate == arn
    assert profile.name == "two-gpu-industrial-pc"


def test_a_rule_about_a_camera_goes_with_it_and_the_load_is_shared(write):
    rules = [{"name": "quiet", "when": "no_results", "for_s": 60, "camera": "cam1"}]
    samples = {"rules": [{"name": "few", "share": 0.1, "camera": "cam1"}]}
    path = write(
        alerts={"rules": rules}, history={"samples": samples}, load={"images_per_day": 6_000}
    )
    boxes = [box for box, _ in load_place(path, PROFILES).boxes.values()]

    with_rule = [[c.name for c in box.cameras] for box in boxes if box.alerts.rules]
    assert with_rule
    assert all("cam1" in names for names in with_rule)
    assert [box.history.samples is not None for box in boxes] == [
        bool(box.alerts.rules) for box in boxes
    ]
    assert sum(box.load.images_per_day for box in boxes) == 6_000


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cores": [{"name": "b", "thing": "hall-core"}]}, "thing hall-core given twice"),
        ({"cores": [{"name": "hall", "thing": "x"}]}, "name hall given twice"),
        ({"cores": [{"name": "x" * 40, "thing": "x"}]}, "which is no name"),
        ({"cameras": [{"name": "a", "core": "c"}, {"name": "b"}]}, "'c' is no core here"),
        ({"cameras": [{"name": "a"}]}, "b has no camera: 1 cameras"),
        ({"cores": [], "cameras": [{"name": "a", "core": "b"}]}, "the site has one core"),
        ({"core": {"group": "boxes"}, "target": "iot"}, "core is thing group boxes"),
        ({"cores": [{"name": "b", "thing": "x", "profile": "toaster"}]}, '"toaster" is not a'),
    ],
)
def test_what_does_not_fit_together_is_said_with_its_remedy(write, changed, said):
    with pytest.raises(InvalidInput) as wrong:
        load_place(write(**changed), PROFILES)

    assert said in str(wrong.value)


def test_a_core_that_is_not_there_is_named_with_those_that_are(write):
    with pytest.raises(InvalidInput, match="cores: hall, b"):
        load_site(write(), PROFILES, "c")

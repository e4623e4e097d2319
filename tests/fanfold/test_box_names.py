"""Which box the verbs mean: by the site's name, a box's name, `--core`, or a file."""

from __future__ import annotations

import json

import pytest
import yaml
from checkout import PROJECT

from fanfold.cloud.dealt import streams_of
from fanfold.common.boxes import box_of, boxes_named, one_box, shared_bucket
from fanfold.common.errors import UserError
from fanfold.common.project import read_site, remember_site, remembered_site, site_file
from fanfold.rollout.plan import sites_of
from infra.planning import plan_group, render


@pytest.fixture(autouse=True)
def hall(tmp_path, monkeypatch):
    """Sites hall, with cores hall and b, and mill, with one."""
    (tmp_path / "sites").mkdir()
    (tmp_path / "device_profiles").symlink_to(PROJECT / "device_profiles")
    demo = yaml.safe_load((PROJECT / "sites/demo.yaml").read_text())
    further = [{"name": "b", "thing": "box-b"}]
    for name, more in (("hall", {"cores": further}), ("mill", {})):
        site = {**demo, "name": name, "core": {"thing": f"{name}-core"}, **more}
        (tmp_path / f"sites/{name}.yaml").write_text(yaml.safe_dump(site))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_box_is_found_by_its_name_and_by_a_file_of_that_name(hall):
    assert read_site("hall")[0].core.thing == "hall-core"
    assert read_site("hall-b")[0].core.thing == "box-b"
    assert read_site(str(hall / "sites/hall-b.yaml"))[0].core.thing == "box-b"
    assert site_file("hall-b").name == "hall.yaml"


def test_a_core_is_named_by_its_own_name_its_boxs_or_its_things():
    assert {box_of("hall", name) for name in ("b", "hall-b", "box-b")} == {"hall-b"}
    assert box_of("hall", "hall") == "hall"
    assert box_of("mill", "mill") == "mill"
    with pytest.raises(UserError, match="no core of site hall; cores: hall, b"):
        box_of("hall", "c")


def test_a_verb_that_takes_one_box_does_not_guess():
    assert (one_box("mill", None), one_box("hall-b", None)) == ("mill", "hall-b")
    with pytest.raises(UserError, match=r"several cores: hall, b\. Pass --core"):
        one_box("hall", None)


def test_a_site_stands_for_all_its_boxes_where_a_verb_takes_all():
    assert [box.name for box in boxes_named("hall")] == ["hall", "hall-b"]
    assert [box.name for box in boxes_named("hall-b")] == ["hall-b"]
    assert sites_of("hall") == ["hall", "hall-b"]
    assert sites_of("*", ["hall"]) == ["hall-b", "mill"]


def test_a_running_core_remembers_which_box_it_is(hall):
    remember_site(hall / "state", "hall-b")

    assert read_site(remembered_site(hall / "state"))[0].name == "hall-b"


def test_the_first_boxs_bucket_is_no_missing_one():
    assert shared_bucket("hall-b") == "fanfold-hall-123456789012-us-east-1"
    assert shared_bucket("mill") is None


def test_the_cameras_of_a_deployed_group_are_those_that_may_send_to_it():
    box, profile = read_site("hall-b")

    found = streams_of(render(plan_group(box, profile)), "hall-b")

    assert found == {camera.name for camera in box.cameras} != set()


def test_the_plan_prints_the_dealing_and_each_boxs_group(fanfold):
    said = fanfold("plan", "hall", "--no-why")

    assert said.code == 0
    assert "hall: 2 cameras over 2 cores, by images/s" in said.out
    assert "hall-b on this-machine" in said.out
    one = json.loads(fanfold("plan", "hall", "--core", "b", "--json").out)
    assert one["group"]["Name"] == "hall-b"


def test_a_document_is_one_boxs(fanfold):
    assert "Pass --core" in fanfold("plan", "hall", "--document", "-").err
    assert json.loads(fanfold("plan", "hall-b", "--document", "-").out)["Name"] == "hall-b"

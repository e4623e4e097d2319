"""Region of interest and ignore masks of a site file: refused in words, carried to workers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import yaml
from checkout import PROJECT
from plan_samples import plan

from contract.regions import regions_from, regions_of
from infra.planning import yamlfile
from infra.planning.document import render
from infra.planning.findings import InvalidInput
from infra.planning.site import Site

REGION = [[0.1, 0.2], [0.9, 0.2], [0.5, 0.95]]
CAMERAS = (
    {"name": "top", "region": REGION, "masks": [[[0.4, 0.4], [0.6, 0.4], [0.5, 0.6]]]},
    {"name": "side"},
)
DECODES = {
    "pinned": {"w"},
    "decoupled": {"t", "w"},
    "pool": {"pool"},
    "on_demand": {"inference"},
}


def told(made):
    return {
        f.id: f.environment["FANFOLD_REGIONS"]
        for f in made.functions
        if "FANFOLD_REGIONS" in f.environment
    }


@pytest.mark.parametrize("strategy", DECODES)
def test_whoever_decodes_or_answers_is_told_and_nobody_else(strategy):
    found = told(plan(strategy=strategy, cameras=CAMERAS))

    assert {name.rstrip("0123456789") for name in found} == DECODES[strategy]
    declared = {key: CAMERAS[0][key] for key in ("region", "masks")}
    for text in found.values():
        assert regions_of(text) == {"top": regions_from(declared)}


@pytest.mark.parametrize("strategy", DECODES)
def test_a_site_without_any_is_the_same_group_as_before(strategy):
    plain = plan(strategy=strategy, cameras=({"name": "top"}, {"name": "side"}))
    empty = plan(
        strategy=strategy, cameras=({"name": "top", "region": [], "masks": []}, {"name": "side"})
    )

    assert not told(plain)
    assert render(plain) == render(empty)


@pytest.mark.parametrize(
    ("camera", "where", "said"),
    [
        ({"region": [[0, 0], [1, 1]]}, "cameras[0].region", "has 2 points; a polygon has 3 to 64"),
        ({"region": [[0, 0], [1, 1], [1, 0], [0, 1]]}, "cameras[0].region", "crosses itself"),
        ({"region": [[0, 0], [640, 0], [640, 480]]}, "cameras[0].region", "[1] is [640, 0]"),
        ({"region": "all"}, "cameras[0].region", "is 'all': write a list of points"),
        ({"masks": [[[0, 0], [1, 0], 7]]}, "cameras[0].masks", "masks[0][2] is 7: write [x, y]"),
        ({"masks": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}, "cameras[0].masks", "nothing would be"),
        ({"region": {"x": 1}}, "cameras[0].region", "write a list of points"),
        ({"mask": []}, "cameras[0].mask", "Did you mean masks?"),
    ],
)
def test_a_slip_is_said_with_file_line_and_remedy(tmp_path: Path, camera, where, said):
    site = yaml.safe_load((PROJECT / "sites/demo.yaml").read_text())
    site["cameras"] = [{"name": "cam1", **camera}]
    path = tmp_path / "demo.yaml"
    path.write_text(yaml.safe_dump(site, sort_keys=False))
    with pytest.raises(InvalidInput) as caught:
        yamlfile.read(path, Site)

    (finding,) = caught.value.findings
    text = str(finding)
    line = int(text.split("demo.yaml:")[1].split(":")[0])
    key = where.rpartition(".")[2]
    assert where in text
    assert said in text
    assert key in path.read_text().splitlines()[line - 1]


def test_two_hundred_cameras_with_a_dozen_points_each_fit_a_processes_environment():
    turns = [math.pi * i / 6 for i in range(12)]
    points = [[round(0.5 + 0.4 * math.cos(a), 4), round(0.5 + 0.4 * math.sin(a), 4)] for a in turns]
    cameras = tuple({"name": f"c{n}", "region": points} for n in range(200))
    # Linux: 128 KiB for one variable (MAX_ARG_STRLEN).
    text = told(plan(cameras=cameras))["w0"]

    assert len(f"FANFOLD_REGIONS={text}") < 131_072
    assert len(json.loads(text)) == 200

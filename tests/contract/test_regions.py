"""Region of interest and ignore masks: what is a polygon, what is seen, what is refused and how."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contract.polygons import MAX_POINTS, bounds, covers, is_box, polygon_problems
from contract.regions import (
    MAX_MASKS,
    Regions,
    kept_boxes,
    problems,
    regions_from,
    regions_of,
    variable,
)

SQUARE = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]
MASK = [[0.4, 0.4], [0.6, 0.4], [0.5, 0.6]]


@st.composite
def stars(draw: st.DrawFn) -> list[list[float]]:
    """Points in the order of their angle around the middle: never crossing, often not convex."""
    count = draw(st.integers(3, 16))
    turn = draw(st.floats(0, 6.28))
    radii = draw(st.lists(st.floats(0.1, 0.45), min_size=count, max_size=count))
    angles = [turn + 2 * math.pi * index / count for index in range(count)]
    return [
        [round(0.5 + r * math.cos(a), 4), round(0.5 + r * math.sin(a), 4)]
        for r, a in zip(radii, angles, strict=True)
    ]


@given(stars())
def test_an_outline_that_goes_once_around_is_a_polygon(points: list[list[float]]) -> None:
    assert polygon_problems("region", points) == []
    assert polygon_problems("region", points[::-1]) == []


@given(st.integers(4, 12), st.floats(0, 6.28), st.data())
def test_a_convex_outline_with_two_points_exchanged_crosses_itself(
    count: int, turn: float, data: st.DataObject
) -> None:
    angles = [turn + 2 * math.pi * index / count for index in range(count)]
    points = [[0.5 + 0.4 * math.cos(a), 0.5 + 0.4 * math.sin(a)] for a in angles]
    one, other = data.draw(st.permutations(range(count)))[:2]
    # Of four, exchanging two opposite ones only turns the outline around.
    assume(not (count == 4 and abs(one - other) == 2))
    points[one], points[other] = points[other], points[one]

    (said,) = polygon_problems("region", points)
    assert "crosses itself" in said


@given(stars(), st.floats(0, 1), st.floats(0, 1))
@settings(deadline=None)
def test_a_point_is_inside_where_the_outline_turns_around_it(
    points: list[list[float]], x: float, y: float
) -> None:
    """By the sum of angles, which the product does not compute."""
    polygon = tuple((a, b) for a, b in points)
    ends = list(zip(polygon, polygon[1:] + polygon[:1], strict=True))
    assume(min(_distance(a, b, (x, y)) for a, b in ends) > 1e-6)
    turns = [
        math.remainder(math.atan2(b[1] - y, b[0] - x) - math.atan2(a[1] - y, a[0] - x), 2 * math.pi)
        for a, b in ends
    ]

    assert covers(polygon, x, y) == (abs(sum(turns)) > math.pi)


def _distance(a: Any, b: Any, p: Any) -> float:
    along = (b[0] - a[0], b[1] - a[1])
    length = along[0] ** 2 + along[1] ** 2
    part = ((p[0] - a[0]) * along[0] + (p[1] - a[1]) * along[1]) / length if length else 0
    part = min(1, max(0, part))
    return math.hypot(p[0] - a[0] - part * along[0], p[1] - a[1] - part * along[1])


@given(stars())
def test_the_window_is_the_smallest_box_around(points: list[list[float]]) -> None:
    left, top, right, bottom = regions_from({"region": points}).window

    assert (left, top) == (min(x for x, _ in points), min(y for _, y in points))
    assert (right, bottom) == (max(x for x, _ in points), max(y for _, y in points))
    assert Regions().window == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([[0, 0], [1, 1]], "has 2 points; a polygon has 3 to 64"),
        ([[0, 0.01 * i] for i in range(MAX_POINTS + 1)], "has 65 points"),
        ("0,0 1,1", "write a list of points"),
        (7, "is 7: write a list of points"),
        ([[0, 0], [1, 0], [1]], "region[2] is [1]: write [x, y]"),
        ([[0, 0], [1, 0], [1.01, 1]], "region[2] is [1.01, 1]: write [x, y], each 0 to 1"),
        ([[0, 0], [1, 0], [-0.1, 1]], "region[2]"),
        ([[0, 0], [1, 0], [math.nan, 1]], "region[2]"),
        ([[0, 0], [1, 0], [True, 1]], "region[2]"),
        ([[0, 0], [1, 0], ["1", 1]], "region[2]"),
        ([[0, 0], [1, 0], [640, 480]], "fractions of the picture's width and height"),
        ([[0, 0], [0.005, 0], [0, 1]], "0.005 wide and 1 high"),
        ([[0, 0], [1, 0], [1, 1], [0, 0]], "has the point [0.0, 0.0] twice"),
        ([[0, 0], [1, 0.00001], [1, 0], [0, 1]], "twice"),
        ([[0, 0], [1, 1], [1, 0], [0, 1]], "the edge after point 0 and the one after point 2"),
        ([[0, 0], [1, 0], [0.5, 0], [0.5, 1]], "crosses itself"),  # folds back on its edge
        ([[0, 0], [1, 0], [0.5, 0.5], [0.5, 0], [0, 1]], "crosses itself"),  # touches an edge
    ],
)
def test_what_is_no_polygon_is_refused_with_its_point_and_what_to_do(
    points: Any, said: str
) -> None:
    (problem,) = problems({"region": points})

    assert said in problem
    assert problem.startswith("region")


def test_every_problem_is_said_at_once() -> None:
    found = problems({"region": [[0, 0]], "masks": [MASK, [[2, 2]] * 3, "x"]})

    assert [each.split(" ")[0] for each in found] == ["region", "masks[1][0]", "masks[2]"]


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ([], "expected an object"),
        ({"zone": SQUARE}, "expected an object of region and masks"),
        ({"masks": 3}, "write a list of polygons"),
        ({"masks": [MASK] * (MAX_MASKS + 1)}, "has 17 polygons, at most 16"),
        ({"masks": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}, "nothing would be inspected"),
        ({"region": SQUARE, "masks": [[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]]]},
         "nothing would be inspected"),
        ({"region": SQUARE, "masks": [[[0, 0], [0.5, 0], [0.5, 1], [0, 1]],
                                      [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]]},
         "nothing would be inspected"),
    ],
)  # fmt: skip
def test_masks_that_cannot_be_are_refused(given_: Any, said: str) -> None:
    assert any(said in each for each in problems(given_))


@given(stars(), st.lists(stars(), max_size=2))
@settings(max_examples=20, deadline=None)
def test_what_is_declared_survives_the_environment(
    region: list[list[float]], masks: list[list[list[float]]]
) -> None:
    declared = {"region": region, "masks": [[[x * 0.3, y * 0.3] for x, y in m] for m in masks]}
    assume(not problems(declared))
    regions = regions_from(declared)

    assert regions_of(variable({"cam1": regions, "cam2": Regions()})) == {"cam1": regions}
    assert regions_from(json.loads(json.dumps(regions.as_json()))) == regions


def test_without_any_there_is_no_variable() -> None:
    assert variable({"cam1": Regions(), "cam2": regions_from({})}) == ""
    assert regions_of("") == {}


@pytest.mark.parametrize("text", ["[]", "7", '{"cam1":{"region":[[0,0]]}}', "{"])
def test_an_environment_that_says_something_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"FANFOLD_REGIONS|Expecting"):
        regions_of(text)


def test_its_name_is_that_of_what_is_declared() -> None:
    one = regions_from({"region": SQUARE, "masks": [MASK]})

    assert one.name == regions_from({"masks": [MASK], "region": SQUARE}).name
    assert len({one.name, Regions().name, regions_from({"region": SQUARE}).name}) == 3
    assert one.as_record() == {"name": one.name, "window": [0.2, 0.2, 0.8, 0.8]}


def test_boxes_are_kept_by_their_centre_and_foreign_ones_untouched() -> None:
    regions = regions_from({"region": SQUARE, "masks": [MASK]})
    inside = {"label": "a", "box": [0.2, 0.2, 0.4, 0.4]}
    masked = {"label": "b", "box": [0.4, 0.35, 0.6, 0.6]}
    outside = {"label": "c", "box": [0.0, 0.0, 0.3, 0.3]}
    pixels = {"label": "d", "box": [10, 10, 20, 20]}
    odd = ["x", {"box": [0.1]}, {"bbox": [0, 0, 0, 0]}, {"box": ["a", 0, 0, 0]}]

    kept, ignored = kept_boxes(regions, [inside, masked, outside, pixels, *odd])
    assert kept == [inside, pixels, *odd]
    assert ignored == 2


def test_a_box_is_told_from_what_only_has_four_corners() -> None:
    assert is_box(regions_from({"region": SQUARE}).region)
    assert not is_box(regions_from({"region": [*SQUARE[:3], [0.3, 0.8]]}).region)
    assert not is_box(regions_from({"region": [*SQUARE, [0.2, 0.5]]}).region)
    assert bounds(((0.1, 0.2), (0.3, 0.1), (0.2, 0.4))) == (0.1, 0.1, 0.3, 0.4)

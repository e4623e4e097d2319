"""Polygons in fractions (0…1) of a picture, (0, 0) its left upper corner. Pure.

Points are whole 1/10,000ths, so that whether two edges meet is a question of integers.
"""

from __future__ import annotations

import math
from typing import Any, Sequence, Tuple

#: An outline by hand has a dozen; all of them travel in the environment of every worker.
MAX_POINTS = 64
MIN_POINTS = 3
#: A tenth of a pixel of a picture of 1,000.
DECIMALS = 4
#: Of a polygon's bounding box: below it something slipped, and a crop would have no pixels.
MIN_SIDE = 0.01

Point = Tuple[float, float]
Polygon = Tuple[Point, ...]
Edge = Tuple[Point, Point]
Window = Tuple[float, float, float, float]
WHOLE: Window = (0.0, 0.0, 1.0, 1.0)


def bounds(polygon: Polygon) -> Window:
    """Of the box around it: left, top, right, bottom."""
    xs, ys = [x for x, _ in polygon], [y for _, y in polygon]
    return min(xs), min(ys), max(xs), max(ys)


def is_box(polygon: Polygon) -> bool:
    """Whether it is its own bounding box."""
    left, top, right, bottom = bounds(polygon)
    corners = {(left, top), (right, top), (right, bottom), (left, bottom)}
    return len(polygon) == len(corners) and set(polygon) == corners


def covers(polygon: Polygon, x: float, y: float) -> bool:
    """Whether a point is inside; of two polygons with a common edge at most one covers it."""
    inside = False
    before = polygon[-1]
    for point in polygon:
        (x0, y0), (x1, y1) = before, point
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            inside = not inside
        before = point
    return inside


def polygon_of(points: Sequence[Any]) -> Polygon:
    """Of `[[x, y], …]` without problems."""
    return tuple((round(float(x), DECIMALS), round(float(y), DECIMALS)) for x, y in points)


def polygon_problems(what: str, points: Any) -> list[str]:
    """What is wrong with `[[x, y], …]`, called `what`: none, or one sentence."""
    if not isinstance(points, (list, tuple)):
        return [f"{what} is {_shown(points)}: write a list of points, [[x, y], [x, y], …]"]
    if not MIN_POINTS <= len(points) <= MAX_POINTS:
        return [f"{what} has {len(points)} points; a polygon has {MIN_POINTS} to {MAX_POINTS}"]
    bad = [index for index, point in enumerate(points) if not _is_point(point)]
    if bad:
        return [
            f"{what}[{bad[0]}] is {_shown(points[bad[0]])}: write [x, y], each 0 to 1, in "
            "fractions of the picture's width and height"
        ]
    polygon = polygon_of(points)
    left, top, right, bottom = bounds(polygon)
    width, height = round(right - left, DECIMALS), round(bottom - top, DECIMALS)
    if min(width, height) < MIN_SIDE:
        return [
            f"{what} is {width:g} wide and {height:g} high, in fractions of the picture; at least "
            f"{MIN_SIDE} is needed: move its points apart"
        ]
    return _tangled(what, polygon)


def _tangled(what: str, polygon: Polygon) -> list[str]:
    if len(set(polygon)) < len(polygon):
        twice = next(p for p in polygon if polygon.count(p) > 1)
        return [f"{what} has the point {list(twice)} twice; a polygon closes by itself"]
    count = len(polygon)
    edges = [(polygon[i], polygon[(i + 1) % count]) for i in range(count)]
    for first in range(count):
        for second in range(first + 1, count):
            beside = second == first + 1 or (first == 0 and second == count - 1)
            crossed = _folds_back if beside else _meet
            if crossed(edges[first], edges[second]):
                return [
                    f"{what} crosses itself: the edge after point {first} and the one after "
                    f"point {second}; move one of them"
                ]
    return []


def _meet(a: Edge, b: Edge) -> bool:
    """Whether two edges have a point in common."""
    one, two = _side(a, b[0]), _side(a, b[1])
    three, four = _side(b, a[0]), _side(b, a[1])
    if one * two < 0 and three * four < 0:
        return True
    return any(
        side == 0 and _between(edge, point)
        for side, edge, point in ((one, a, b[0]), (two, a, b[1]), (three, b, a[0]), (four, b, a[1]))
    )


def _folds_back(a: Edge, b: Edge) -> bool:
    """Two edges with a common end: whether they lie on each other."""
    if a[1] == b[0]:
        shared, one, other = a[1], a[0], b[1]
    else:
        shared, one, other = a[0], a[1], b[0]
    if _side((shared, one), other) != 0:
        return False
    along = [(p[0] - shared[0], p[1] - shared[1]) for p in (one, other)]
    return along[0][0] * along[1][0] + along[0][1] * along[1][1] > 0


def _side(edge: Edge, point: Point) -> float:
    """Which side of an edge a point is on: its sign; exact, as the points are 1/10,000ths."""
    (x0, y0), (x1, y1) = (_whole(end) for end in edge)
    x, y = _whole(point)
    return (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)


def _whole(point: Point) -> tuple[int, int]:
    return round(point[0] * 10**DECIMALS), round(point[1] * 10**DECIMALS)


def _between(edge: Edge, point: Point) -> bool:
    (x0, y0), (x1, y1) = edge
    return min(x0, x1) <= point[0] <= max(x0, x1) and min(y0, y1) <= point[1] <= max(y0, y1)


def _shown(value: Any) -> str:
    """As it stands in a file."""
    return f"{list(value) if isinstance(value, tuple) else value!r}"[:60]


def _is_point(point: Any) -> bool:
    return isinstance(point, (list, tuple)) and len(point) == 2 and all(map(is_fraction, point))


def is_fraction(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0 <= value <= 1

"""Whether two models agree about an image, task by task.

Masks are the workers' own writer's, which a test of its own compares with pycocotools.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.agreement import NOTHING, judge
from contract.areas import shared_pixels, spans
from lambdas.model.tasks.masks import run_lengths

SCORES = st.floats(0, 1)


def record(**output: Any) -> Any:
    return {"status": "ok", "task": "t", "output": output}


def top(label: str, score: float = 0.9) -> Any:
    return record(top=[{"label": label, "index": 1, "score": score}])


def box(label: str, x: float = 0.1, score: float = 0.9) -> Any:
    return {"label": label, "index": 1, "score": score, "box": [x, 0.1, x + 0.2, 0.3]}


def area(label: str, pixels: np.ndarray, *, mask: bool = True) -> Any:
    told = {"label": label, "index": 1, "share": float(pixels.mean())}
    return {**told, "mask": run_lengths(pixels)} if mask else told


@st.composite
def masks(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    bits = st.lists(st.booleans(), min_size=height * width, max_size=height * width)
    first, second = (np.array(draw(bits)).reshape(height, width) for _ in range(2))
    return first, second


@given(masks())
def test_spans_of_cocos_masks_cover_the_same_pixels_as_the_arrays(pair):
    first, second = pair
    told = [spans(run_lengths(each)) for each in pair]

    assert [sum(end - start for start, end in each) for each in told] == [x.sum() for x in pair]
    assert shared_pixels(*told) == (first & second).sum()


OUTPUTS = st.one_of(
    st.builds(top, st.sampled_from("abc"), SCORES),
    st.builds(
        lambda boxes: record(boxes=boxes),
        st.lists(st.builds(box, st.sampled_from("ab"), st.floats(0, 0.8), SCORES), max_size=4),
    ),
    st.builds(lambda a, s: record(anomalous=a, score=s), st.booleans(), SCORES),
    st.builds(
        lambda shares: record(
            classes=[{"label": k, "index": 0, "share": v} for k, v in shares.items()]
        ),
        st.dictionaries(st.sampled_from("abc"), st.floats(0, 0.33), max_size=3),
    ),
    st.builds(lambda x: record(own=x), st.integers(0, 3)),
    st.sampled_from([{"status": "failed", "reason": "model_error"}, {"status": "dropped"}]),
)


@given(OUTPUTS)
def test_every_model_agrees_with_itself(answer):
    judged = judge(answer, answer)

    assert judged.agree
    assert judged.flips == ()
    assert judged.weight == 0


@given(OUTPUTS, OUTPUTS)
def test_agreement_is_mutual_and_a_disagreement_names_what_became_what(one, other):
    there, back = judge(one, other), judge(other, one)

    assert there.agree == back.agree == (not there.flips)
    assert there.agree or there.weight > 0


@pytest.mark.parametrize(
    ("old", "new", "agree"),
    [
        (top("part", 0.9), top("part", 0.5), True),
        (top("part"), top("hole"), False),
        (record(boxes=[box("a")]), record(boxes=[box("a", 0.12)]), True),
        (record(boxes=[box("a")]), record(boxes=[box("a", 0.5)]), False),
        (record(boxes=[box("a")]), record(boxes=[box("b")]), False),
        (record(boxes=[box("a")]), record(boxes=[]), False),
        (record(anomalous=True, score=0.6), record(anomalous=True, score=0.9), True),
        (record(anomalous=True, score=0.51), record(anomalous=False, score=0.49), False),
        (record(own=1), record(own=2), False),
        (top("part"), record(anomalous=True, score=1.0), False),
        (top("part"), record(boxes=[]), False),
        (record(boxes=[]), record(classes=[]), False),
        (top("part"), {"status": "failed", "reason": "model_error"}, False),
    ],
)
def test_by_task(old, new, agree):
    assert judge(old, new).agree is agree


def test_a_small_defect_that_one_model_does_not_see_is_a_disagreement():
    plate = np.zeros((20, 20), bool)
    plate[:4, :4] = True
    before = record(classes=[area("plate", ~plate), area("scratch", plate)])
    now = record(classes=[area("plate", np.ones((20, 20), bool))])

    assert judge(before, now).flips == (("scratch", NOTHING),)


@pytest.mark.parametrize(("mask", "agree"), [(True, False), (False, True)])
def test_as_much_of_a_class_elsewhere_is_found_where_there_are_masks(mask, agree):
    left = np.zeros((20, 20), bool)
    left[:, :5] = True
    one, other = (record(classes=[area("a", each, mask=mask)]) for each in (left, left[:, ::-1]))

    assert judge(one, other).agree is agree


@pytest.mark.parametrize(
    "odd", [{"boxes": [{"at": 1}]}, {"boxes": 3}, {"top": "part"}, {"classes": [None]}, "part", [1]]
)
def test_what_a_hook_makes_under_our_names_is_compared_as_a_whole(odd):
    one = {"status": "ok", "output": odd}

    assert judge(one, one).agree
    assert not judge(one, top("part")).agree

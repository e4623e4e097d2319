"""Region of interest and ignore masks on pixels, judged by the tensor that the network is given."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inference_kit import jpeg
from model_kit import spec_of

from contract.regions import Regions, regions_from
from lambdas.imaging.header import ImageError
from lambdas.imaging.transform import FAST_TOLERANCE, Transform, chosen
from lambdas.model.errors import ModelError
from lambdas.model.geometry import Size, placement
from lambdas.model.regions import cut_of, scaled, seen
from lambdas.model.tasks.postprocess import Task
from lambdas.worker.network import without_hidden

RESIZES = ("letterbox", "stretch", "shorter_side_crop")
QUARTER = {"region": [[0.5, 0.0], [1.0, 0.0], [1.0, 0.5], [0.5, 0.5]]}
MIDDLE = {"masks": [[[0.4, 0.4], [0.6, 0.4], [0.6, 0.6], [0.4, 0.6]]]}
TRIANGLE = {"region": [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]]}


def png(image):
    return cv2.imencode(".png", image)[1].tobytes()


def shown(data, declared, resize="stretch", side=96, mode="exact", hook=None, **of_input):
    """The tensor as H×W×3 (0…255), and the size that leads back from it."""
    spec = spec_of(input={"resize": resize, "pad": 0, "resize_to": side, **of_input},
                   shape=(1, 3, side, side)).input  # fmt: skip
    regions = {"cam1": regions_from(declared)} if declared else {}
    transform = Transform(spec, mode, hook, regions=regions)
    tensor = np.zeros(transform.shape, np.float32)
    size = transform(data, tensor, "cam1")
    return tensor.transpose(1, 2, 0), size, spec


@pytest.mark.parametrize("resize", RESIZES)
@given(
    st.integers(40, 300), st.integers(40, 300), st.floats(0, 0.6), st.floats(0, 0.6),
    st.floats(0.25, 0.4), st.floats(0.25, 0.4),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_a_point_of_the_input_leads_back_to_the_whole_picture(
    resize, width, height, left, top, wide, high
):
    """A bright mark in the middle of the region is looked for in the transform's own tensor."""
    corners = [[left, top], [left + wide, top], [left + wide, top + high], [left, top + high]]
    image = np.zeros((height, width, 3), np.uint8)
    x, y = int((left + wide / 2) * width), int((top + high / 2) * height)
    reach = max(2, min(width, height) // 24)
    image[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach] = 255
    seen_there, size, spec = shown(png(image), {"region": corners}, resize)
    weight = seen_there[:, :, 0] / seen_there[:, :, 0].sum()
    steps = np.arange(96) + 0.5
    centre = float((weight.sum(0) * steps).sum()), float((weight.sum(1) * steps).sum())
    back = np.multiply(placement(spec, *size).back(*centre), (width, height))

    assert size[:2] == (width, height)
    assert np.abs(back - (x, y)).max() < max(2.0, 0.03 * max(width, height))


def test_the_network_is_shown_the_region_at_full_resolution():
    image = np.full((200, 400, 3), 40, np.uint8)
    image[:100, 200:] = 200
    pixels, size, _ = shown(png(image), QUARTER)

    assert (pixels == 200).all(), "nothing of the other three quarters"
    assert size == Size(400, 200, (200, 0, 200, 100))


def test_what_a_mask_covers_has_no_pixels_of_the_picture():
    image = np.random.RandomState(7).randint(1, 256, (480, 640, 3)).astype(np.uint8)
    hidden, _, _ = shown(png(image), MIDDLE, side=320, pad=114)
    plain, _, _ = shown(png(image), {}, side=320, pad=114)
    inside = np.s_[int(0.41 * 320) : int(0.59 * 320), int(0.41 * 320) : int(0.59 * 320)]
    outside = np.ones((320, 320), bool)
    outside[int(0.39 * 320) : int(0.61 * 320), int(0.39 * 320) : int(0.61 * 320)] = False

    assert (hidden[inside] == 114).all()
    np.testing.assert_array_equal(hidden[outside], plain[outside])


def test_beside_a_region_that_is_no_box_nothing_is_seen_within_its_window():
    white = np.full((300, 300, 3), 255, np.uint8)
    pixels, _, _ = shown(png(white), TRIANGLE, side=200, pad=0)
    ys, xs = np.mgrid[0:200, 0:200] / 200 * 0.8 + 0.1
    region = np.array(TRIANGLE["region"], np.float32)
    far = np.array([
        cv2.pointPolygonTest(region, (float(x), float(y)), True) for x, y in zip(xs.flat, ys.flat)
    ]).reshape(xs.shape)  # fmt: skip

    assert (pixels[far > 0.01] == 255).all()
    assert (pixels[far < -0.01] == 0).all()


def test_a_network_of_one_channel_is_masked_too():
    spec = spec_of(shape=(1, 1, 40, 40)).input
    transform = Transform(spec, "exact", regions={"cam1": regions_from(MIDDLE)})
    tensor = np.zeros(transform.shape, np.float32)
    transform(png(np.full((40, 40), 250, np.uint8)), tensor, "cam1")

    assert tensor[0, 20, 20] == 114
    assert tensor[0, 2, 2] == 250


@pytest.mark.parametrize("declared", [QUARTER, MIDDLE, TRIANGLE, {**TRIANGLE, **MIDDLE}])
def test_fast_stays_within_its_tolerance_of_exact(declared):
    noise = np.random.RandomState(3).randint(0, 256, (60, 100, 3)).astype(np.uint8)
    data = jpeg(cv2.resize(noise, (1920, 1080), interpolation=cv2.INTER_CUBIC))
    fast, size, _ = shown(data, declared, side=224, mode="fast")
    exact, same, _ = shown(data, declared, side=224)

    assert size == same
    assert np.abs(fast - exact).mean() <= FAST_TOLERANCE


@pytest.mark.parametrize("resize", RESIZES)
def test_a_hook_gets_the_region_and_its_own_size_leads_back(resize):
    image = np.zeros((200, 400, 3), np.uint8)
    got = []

    def half(picture):
        got.append(picture.shape)
        return np.ascontiguousarray(picture[::2, ::2])

    _, size, spec = shown(png(image), QUARTER, resize, hook=half)
    assert got == [(100, 200, 3)]
    assert size == Size(200, 100, (100, 0, 100, 50))
    assert placement(spec, *size).back(48, 48) == pytest.approx((0.75, 0.25), abs=0.01)


def test_a_camera_without_region_is_as_it_was():
    image = np.random.RandomState(5).randint(0, 256, (90, 120, 3)).astype(np.uint8)
    spec = spec_of(shape=(1, 3, 64, 64)).input
    tensors = []
    for regions in ({}, {"cam2": regions_from(QUARTER)}):
        transform = Transform(spec, "fast", regions=regions)
        tensor = np.zeros(transform.shape, np.float32)
        assert transform(png(image), tensor, "cam1") == Size(120, 90)
        tensors.append(tensor)
    np.testing.assert_array_equal(*tensors)


@given(st.integers(1, 500), st.integers(1, 500), st.data())
@settings(max_examples=100, deadline=None)
def test_a_cut_has_pixels_and_stays_inside_whatever_the_picture(width, height, data):
    low = st.floats(0, 0.99)
    left, top = data.draw(low), data.draw(low)
    right = min(1.0, left + data.draw(st.floats(0.01, 1)))
    bottom = min(1.0, top + data.draw(st.floats(0.01, 1)))
    cut = cut_of((left, top, right, bottom), width, height)
    smaller = (max(1, width // data.draw(st.integers(1, 8))), max(1, height // 3))
    for (x, y, w, h), (of_width, of_height) in (
        (cut, (width, height)), (scaled(cut, (width, height), smaller), smaller),
    ):  # fmt: skip
        assert 0 <= x < x + w <= of_width
        assert 0 <= y < y + h <= of_height


def test_a_broken_picture_of_a_camera_with_a_region_is_refused_as_any():
    with pytest.raises(ImageError):
        shown(b"\xff\xd8\xff\xe0 half", QUARTER)


def test_regions_that_are_none_end_the_worker_with_the_reason():
    with pytest.raises(ModelError, match=r"FANFOLD_REGIONS.*2 points"):
        chosen({"FANFOLD_REGIONS": '{"cam1":{"region":[[0,0],[1,1]]}}'})
    assert chosen({}).regions == {}


def seg_task(**output):
    return Task(
        spec_of("semantic_segmentation", (1, 3, 100, 100), output={"layout": "classes", **output}),
        ["nothing", "rust"], ["map"],
    )  # fmt: skip


def test_the_share_of_a_class_is_of_what_is_seen():
    classes = np.zeros((1, 100, 100), np.int64)
    classes[:, 40:60, 40:60] = 1  # all of the mask, and nothing else
    classes[:, :10, :10] = 1
    told = seg_task()([classes], Size(400, 200), regions_from(MIDDLE))
    shares = {c["label"]: c["share"] for c in told["classes"]}

    assert shares["rust"] == pytest.approx(100 / 9600, abs=0.002)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-5)


def test_an_anomaly_behind_a_mask_is_none():
    task = Task(
        spec_of("anomaly", (1, 3, 100, 100), threshold=0.5, output={"map": "map"}), [], ["map"]
    )
    heat = np.zeros((1, 100, 100), np.float32)
    heat[:, 45:55, 45:55] = 0.9
    assert task([heat], Size(400, 200))["anomalous"]

    told = task([heat], Size(400, 200), regions_from(MIDDLE))
    assert not told["anomalous"]
    assert told["share"] == 0


def test_what_is_seen_of_a_map_of_the_region_is_the_region():
    regions = regions_from(TRIANGLE)
    there = seen(regions, regions.window, (50, 50))

    assert there[2, 25]
    assert not there[47, 2]
    assert there.mean() == pytest.approx(0.5, abs=0.05)


def test_boxes_behind_a_mask_are_dropped_and_counted_in_the_record():
    regions = regions_from(MIDDLE)
    item = {"stream": "cam1", "region": regions.as_record()}
    hidden, there = {"box": [0.45, 0.45, 0.55, 0.55]}, {"box": [0.0, 0.0, 0.2, 0.2]}
    output = {"boxes": [hidden, there], "size": [400, 200]}
    counted, kept = without_hidden(item, output, regions)

    assert kept == {"boxes": [there], "size": [400, 200]}
    assert counted["region"] == {"name": regions.name, "ignored": 1}
    assert output["boxes"] == [hidden, there], "a hook's own object is left alone"
    assert without_hidden(item, {"boxes": [there]}, regions) == (item, {"boxes": [there]})
    assert without_hidden(item, "a hook's text", regions) == (item, "a hook's text")
    assert without_hidden(item, output, None) == (item, output)


def test_without_a_region_nothing_is_hidden_from_a_map():
    assert seen(Regions(), (0, 0, 1, 1), (5, 5)).all()

"""What a site says of its pictures reaches every function that reads one, as those read it."""

from __future__ import annotations

from infra.planning.pictures import Pictures, Sensor
from lambdas.imaging.rules import DEFAULT, Rules, rules_of
from lambdas.imaging.rules import Sensor as DeviceSensor


def test_a_site_that_says_nothing_renders_nothing_and_means_the_functions_defaults():
    assert Pictures().variable({}) == ""
    assert rules_of("") == DEFAULT


def test_planner_and_functions_have_the_same_defaults():
    given = Pictures(max_mb=16.5, max_megapixels=41, max_lost=0.2)
    rules = rules_of(given.variable({}))
    assert rules == Rules(int(16.5 * (1 << 20)), 41_000_000, 0.2)
    assert Pictures().max_mb * (1 << 20) == DEFAULT.max_bytes
    assert Pictures().max_megapixels * 1_000_000 == DEFAULT.max_pixels
    assert Pictures().max_lost == DEFAULT.max_lost


def test_a_cameras_sensor_arrives_as_it_was_declared():
    sensor = Sensor(bits=12, bayer="RGGB", width_px=640, height_px=480)
    rules = rules_of(Pictures().variable({"cam1": sensor}))
    assert rules.sensor("cam1") == DeviceSensor(12, "auto", "RGGB", 640, 480)
    assert rules.sensor("cam2") == DeviceSensor()

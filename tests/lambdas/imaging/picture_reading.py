"""Reading one picture as a worker does, and comparing pixels."""

from __future__ import annotations

import numpy as np
import pytest

from lambdas.imaging.decode import Decoder
from lambdas.imaging.errors import ImageError
from lambdas.imaging.header import read_header
from lambdas.imaging.rules import DEFAULT, Sensor

PLAIN = Sensor()


def read(data: bytes, sensor: Sensor = PLAIN, max_lost: float = 0.1):
    decoder = Decoder("bgr", max_lost)
    header = read_header(data, DEFAULT, sensor)
    return decoder.decode(data, header, 0, 0, sensor).copy(), decoder.damage


def refused(data: bytes, **options) -> ImageError:
    with pytest.raises(ImageError) as caught:
        read(data, **options)
    return caught.value


def difference(found, wanted) -> float:
    assert found.shape == wanted.shape
    return float(np.abs(found.astype(int) - wanted).mean())

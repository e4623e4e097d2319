"""`input` of model.json: the tensor that the network wants and how a picture becomes it.

Pure and standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lambdas.model.errors import ModelError
from lambdas.model.fields import Fields, is_number

RESIZES = ("stretch", "shorter_side_crop", "letterbox")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "area")
COLOURS = ("rgb", "bgr", "grey")
DTYPES = ("float32", "float16", "uint8")
EXTRA_DTYPES = ("float32", "float64", "float16", "int64", "int32", "uint8", "bool")
MAX_SIDE_PX = 8192
MAX_EXTRA = 4096

#: name → (mean, standard deviation, colour order or None) on pixels of 0…255.
#: Sources: torchvision's ImageNet weights; Keras `imagenet_utils` (tf, caffe); timm.
PRESETS: dict[str, tuple[tuple[float, ...], tuple[float, ...], str | None]] = {
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), None),
    "0-1": ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0), None),
    "-1-1": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5), None),
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375), "rgb"),
    "efficientnet-lite": ((127.0, 127.0, 127.0), (128.0, 128.0, 128.0), None),
    "caffe": ((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), "bgr"),
}
KEYS = (
    "name", "shape", "layout", "colour", "dtype", "mean", "scale", "normalise", "resize",
    "resize_to", "interpolation", "decode_margin", "pad", "pad_at", "extra",
)  # fmt: skip


@dataclass(frozen=True)
class Extra:
    """A further input of the network that is the same for every picture."""

    name: str
    value: Any
    dtype: str


@dataclass(frozen=True)
class Input:
    """The tensor that the network wants: `shape` as `layout` says, batch first."""

    name: str
    shape: tuple[int, int, int, int]
    layout: str
    colour: str
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    resize: str
    resize_to: int
    interpolation: str
    #: Fast mode decodes a JPEG to no less than this times the size that is resized to.
    decode_margin: float = 1.0
    #: Element type; "" takes that of the file.
    dtype: str = ""
    #: Letterbox: grey value of the border, and whether the picture is in the middle of it.
    pad: float = 114.0
    pad_centred: bool = True
    extra: tuple[Extra, ...] = field(default=())

    @property
    def batch(self) -> int:
        return self.shape[0]

    @property
    def channels(self) -> int:
        return self.shape[1] if self.layout == "NCHW" else self.shape[3]

    @property
    def height_px(self) -> int:
        return self.shape[2] if self.layout == "NCHW" else self.shape[1]

    @property
    def width_px(self) -> int:
        return self.shape[3] if self.layout == "NCHW" else self.shape[2]

    @property
    def raw_pixels(self) -> bool:
        """Whether pixels go in as they are, 0…255."""
        return not any(self.mean) and all(scale == 1.0 for scale in self.scale)


def read_input(document: Any) -> Input:
    """Raises `ModelError` with the first thing that is wrong."""
    fields = Fields(document, "input", KEYS)
    layout = fields.choice("layout", ("NCHW", "NHWC"), "NCHW")
    shape = _shape(fields, layout)
    channels = shape[1] if layout == "NCHW" else shape[3]
    colour = fields.choice("colour", COLOURS, "rgb" if channels == 3 else "grey")
    if colour == "grey" and channels == 3:
        raise ModelError(
            f"input.colour is grey and input.shape {list(shape)} has 3 channels: use 1 channel, "
            "or rgb or bgr"
        )
    mean, scale = _normalisation(fields, channels, colour)
    built = Input(
        name=fields.text("name", "data"),
        shape=shape,
        layout=layout,
        colour=colour if channels == 3 else "grey",
        mean=mean,
        scale=scale,
        resize=fields.choice("resize", RESIZES, "stretch"),
        resize_to=fields.integer("resize_to", 1, MAX_SIDE_PX, 0),
        interpolation=fields.choice("interpolation", INTERPOLATIONS, "bilinear"),
        decode_margin=fields.number("decode_margin", 1.0, 1.0, 8.0),
        dtype=fields.choice("dtype", ("", *DTYPES), ""),
        pad=fields.number("pad", 114.0, 0.0, 255.0),
        pad_centred=fields.choice("pad_at", ("centre", "end"), "centre") == "centre",
        extra=_extra(fields),
    )
    _consistent(built)
    return built


def _shape(fields: Fields, layout: str) -> tuple[int, int, int, int]:
    shape = fields.raw("shape")
    if not (
        isinstance(shape, list)
        and len(shape) == 4
        and all(type(n) is int and 0 < n <= MAX_SIDE_PX for n in shape)
        and shape[1 if layout == "NCHW" else 3] in (1, 3)
    ):
        raise ModelError(
            f"input.shape is {shape!r:.80}; use four sizes with 3 channels or 1 ({layout})"
        )
    return (shape[0], shape[1], shape[2], shape[3])


def _normalisation(
    fields: Fields, channels: int, colour: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if "normalise" not in fields:
        return fields.numbers("mean", channels, 0.0), fields.numbers("scale", channels, 1.0)
    if "mean" in fields or "scale" in fields:
        raise ModelError("input.normalise stands for mean and scale: give it, or them, not both")
    mean, deviation, order = PRESETS[fields.choice("normalise", tuple(PRESETS))]
    if channels == 1 and len(set(mean)) > 1:
        raise fields.fault("normalise", "it is for three channels: give mean and scale")
    if colour != order and order is not None:
        mean, deviation = mean[::-1], deviation[::-1]
    return mean[:channels], tuple(1.0 / value for value in deviation[:channels])


def _extra(fields: Fields) -> tuple[Extra, ...]:
    found = []
    for name, document in fields.mapping("extra", {}).items():
        each = Fields(document, f"input.extra.{name}", ("value", "dtype"))
        value = each.raw("value")
        flat = list(_flat(value))
        if not flat or len(flat) > MAX_EXTRA or not all(is_number(n) for n in flat):
            raise each.fault("value", f"use a number or nested lists of up to {MAX_EXTRA}")
        found.append(Extra(name, value, each.choice("dtype", EXTRA_DTYPES, "float32")))
    return tuple(found)


def _flat(value: Any) -> Any:
    if isinstance(value, list):
        for each in value:
            yield from _flat(each)
    else:
        yield value


def _consistent(built: Input) -> None:
    longest = max(built.height_px, built.width_px)
    if built.resize == "shorter_side_crop" and built.resize_to < longest:
        raise ModelError(f"input.resize_to is {built.resize_to}; use {longest} at least")
    if built.dtype == "uint8" and not built.raw_pixels:
        raise ModelError(
            "input.dtype is uint8 and there is a mean or scale: a uint8 input takes pixels as "
            "they are; remove mean, scale and normalise"
        )

"""The demo's photographs: where each one comes from and who gave it away."""

from __future__ import annotations

from typing import NamedTuple

from models.wheels import SCIKIT_IMAGE, SCIKIT_LEARN, Wheel


class Photo(NamedTuple):
    """`labels`: what EfficientNet-Lite0 may call it; empty: nothing of ImageNet is on it."""

    name: str
    wheel: Wheel
    member: str
    credit: str
    licence: str
    labels: tuple[str, ...] = ()


_CATS = ("tiger cat", "Egyptian cat", "tabby")

PHOTOS = (
    Photo("chelsea", SCIKIT_IMAGE, "skimage/data/chelsea.png", "Stefan van der Walt", "CC0", _CATS),
    Photo(
        "coffee", SCIKIT_IMAGE, "skimage/data/coffee.png", "Rachel Michetti", "CC0", ("espresso",)
    ),
    Photo(
        "rocket", SCIKIT_IMAGE, "skimage/data/rocket.jpg", "SpaceX", "public domain", ("missile",)
    ),
    Photo(
        "astronaut", SCIKIT_IMAGE, "skimage/data/astronaut.png", "NASA (Eileen Collins)",
        "public domain",
    ),
    Photo(
        "camera", SCIKIT_IMAGE, "skimage/data/camera.png", "Lav Varshney", "CC0",
    ),
    Photo("brick", SCIKIT_IMAGE, "skimage/data/brick.png", "CC0Textures (Bricks25)", "CC0"),
    Photo("grass", SCIKIT_IMAGE, "skimage/data/grass.png", "linolafett", "CC0"),
    Photo("gravel", SCIKIT_IMAGE, "skimage/data/gravel.png", "CC0Textures (Gravel04)", "CC0"),
    Photo(
        "hubble", SCIKIT_IMAGE, "skimage/data/hubble_deep_field.jpg", "NASA", "public domain",
    ),
    Photo(
        "china", SCIKIT_LEARN, "sklearn/datasets/images/china.jpg",
        "danielbuechele (flickr.com/photos/danielbuechele/6061409035)", "CC BY 2.0",
    ),
    Photo(
        "flower", SCIKIT_LEARN, "sklearn/datasets/images/flower.jpg",
        "vultilion (flickr.com/photos/vultilion/6056698931)", "CC BY 2.0",
    ),
)  # fmt: skip

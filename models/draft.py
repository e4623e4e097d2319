"""A network's file → a folder that can be tried and packed: model.json with its reasons."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from lambdas.model.errors import ModelError
from lambdas.model.input_spec import DTYPES
from lambdas.model.labels import read_labels
from lambdas.model.onnx_file import Port
from models.facts import Facts
from models.families import FAMILIES, Family
from models.recognise import Found, Side, size_of

#: Presets with a value for each of three channels.
_PER_COLOUR = ("imagenet", "caffe")
_CROP_SHARE = 0.875


class Overrides(NamedTuple):
    """What the user said beside the file; None: not said."""

    name: str
    version: str = "1.0.0"
    labels: Path | None = None
    size: Side | None = None
    normalise: str | None = None


class Draft(NamedTuple):
    """model.json in parts: (key, value, comment); files to be copied: name → source."""

    entries: list[tuple[str, Any, str]]
    files: dict[str, Path]
    labels: tuple[str, ...]


def side_of(facts: Facts, wished: Side | None) -> Side | None:
    """Height and width of the input: as its file says, as metadata says, as wished."""
    port = image_port(facts)
    if len(port.shape) == 4:
        pair = port.shape[1:3] if is_nhwc(port) else port.shape[2:4]
        if all(isinstance(side, int) and side > 0 for side in pair):
            return Side(pair[0], pair[1])
    shape = facts.metadata.get("image_shape")
    if shape is not None and str(shape).isdigit():
        return Side(int(shape), int(shape))
    return wished or size_of(facts.metadata)


def image_port(facts: Facts) -> Port:
    """The input for the picture: the one of four axes; the first where none has."""
    return next((port for port in facts.inputs if len(port.shape) == 4), facts.inputs[0])


def outside_names(facts: Facts) -> list[str]:
    """The network's further files as it names them: relative to its own folder."""
    if not facts.others:
        return []
    folder = facts.files["model"].parent
    return [path.relative_to(folder).as_posix() for path in facts.others]


def refuse_no_picture(facts: Facts) -> None:
    """Raises `ModelError` where no input can take a picture: said before anything is asked."""
    port = image_port(facts)
    said = f"the network's input {port.name!r} is {port.dtype} {_sides(port.shape)}"
    if port.shape and len(port.shape) != 4:
        remedy = "with a batch axis" if len(port.shape) == 3 else "as (1, 3, H, W), or write a hook"
        raise ModelError(f"{said}, which takes no picture of four axes: export it {remedy}")
    if port.dtype not in ("unknown", *DTYPES):
        raise ModelError(f"{said}: what is fed is {', '.join(DTYPES)}; export it with one of them")
    channels = (port.shape[3] if is_nhwc(port) else port.shape[1]) if port.shape else None
    if isinstance(channels, int) and channels not in (1, 3):
        raise ModelError(f"{said}, with {channels} channels: pictures here have 1 or 3")


def _sides(shape: tuple[Any, ...]) -> str:
    return f"[{', '.join(str(side) if side else '?' for side in shape)}]"


def is_nhwc(port: Port) -> bool:
    shape = port.shape
    if len(shape) != 4:
        return False
    return shape[3] in (1, 3) and not (isinstance(shape[1], int) and shape[1] <= 4)


def draft(facts: Facts, found: Found, overrides: Overrides) -> Draft:
    """Raises `ModelError` where something has to be said that the file does not say."""
    family = FAMILIES[found.family]
    side = side_of(facts, overrides.size)
    if side is None:
        raise ModelError("the file does not say how large the input is: give --size HEIGHTxWIDTH")
    labels = _labels(found, overrides)
    files = {path.name: path for path in facts.files.values()}
    files.update(zip(outside_names(facts), facts.others))
    entries: list[tuple[str, Any, str]] = [
        ("v", 1, ""),
        ("name", overrides.name, "lower case; every result carries name, version and hash"),
        ("version", overrides.version, ""),
        ("runtime", facts.runtime, ""),
        *((role, path.name, "") for role, path in facts.files.items()),
        ("task", family.task, f"{found.family}: {found.why}"),
        ("input", _input(facts, family, side), _of_input(facts, found)),
        ("output", _output(facts, family), family.words),
        ("threshold", family.threshold, "scores below it are left out"),
    ]
    if labels:
        entries.append(
            ("labels", "labels.txt", f"{len(labels)} classes, one per line, class 0 first")
        )
    if facts.others:
        entries.append(("files", outside_names(facts), "weights outside the network"))
    return Draft(entries, files, labels)


def write(made: Draft, folder: Path) -> None:
    """Raises `ModelError` where the folder is there and has something in it."""
    if folder.exists() and any(folder.iterdir()):
        raise ModelError(f"{folder} exists and is not empty: give another --out")
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in made.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / name)
    if made.labels:
        text = "".join(f"{label}\n" for label in made.labels)
        (folder / "labels.txt").write_text(text, encoding="utf-8")
    (folder / "model.json").write_text(document(made.entries), encoding="utf-8")


def document(entries: list[tuple[str, Any, str]]) -> str:
    """JSON with a comment above each entry that has one; `model pack` takes them out."""
    lines = ["{"]
    for number, (key, value, comment) in enumerate(entries):
        if comment:
            lines.append(f"  // {comment}")
        comma = "," if number < len(entries) - 1 else ""
        body = json.dumps(value, ensure_ascii=False)
        if len(body) > 76 and isinstance(value, (dict, list)):
            body = json.dumps(value, ensure_ascii=False, indent=2).replace("\n", "\n  ")
        lines.append(f"  {json.dumps(key)}: {body}{comma}")
    return "\n".join([*lines, "}", ""])


def plain_name(path: Path) -> str:
    """A package's name from a file's."""
    stem = path.name
    for ending in (".onnx", ".xml", "-symbol.json", ".pt2", ".pt", ".torchscript", ".pth", ".ts",
                   ".tar.gz", ".tgz", ".tar", ".zip"):  # fmt: skip
        stem = stem.removesuffix(ending) if hasattr(stem, "removesuffix") else _cut(stem, ending)
    return re.sub(r"[^a-z0-9._-]+", "-", stem.lower()).strip("-._")[:64] or "model"


def _cut(text: str, ending: str) -> str:
    return text[: -len(ending)] if text.endswith(ending) else text


def _labels(found: Found, overrides: Overrides) -> tuple[str, ...]:
    if overrides.labels is None:
        return found.labels
    try:
        content = overrides.labels.read_bytes()
    except OSError as error:
        raise ModelError(f"--labels {overrides.labels}: {error.strerror}") from None
    return tuple(read_labels(content, overrides.labels.name))


def _input(facts: Facts, family: Family, side: Side) -> dict[str, Any]:
    port = image_port(facts)
    channels = _channels(facts, port)
    nhwc = is_nhwc(port)
    batch = port.shape[0] if port.shape and isinstance(port.shape[0], int) else 1
    made: dict[str, Any] = {
        "name": port.name,
        "shape": [batch, *side, channels] if nhwc else [batch, channels, *side],
        "layout": "NHWC" if nhwc else "NCHW",
        **family.input,
    }
    if channels == 1:
        made["colour"] = "grey"
        if made.get("normalise") in _PER_COLOUR:
            made["normalise"] = "0-1"
    if port.dtype not in ("float32", "unknown"):
        made["dtype"] = port.dtype
    if port.dtype == "uint8":
        made.pop("normalise", None)
    if made.get("resize") == "shorter_side_crop":
        longest = max(side)
        exact = family is FAMILIES["ultralytics-cls"]
        made["resize_to"] = longest if exact else int(longest / _CROP_SHARE)
    extra = {p.name: _constant(p, side) for p in facts.inputs if p.name != port.name}
    if extra:
        made["extra"] = extra
    return made


def _of_input(facts: Facts, found: Found) -> str:
    """Where the file leaves a wish of the family no room, the comment says so."""
    port = image_port(facts)
    said, scaled = f"as {found.family} wants its pictures", FAMILIES[found.family].input
    if port.dtype == "uint8" and scaled.get("normalise", "none") != "none":
        said += ", but 0 to 255: the input is uint8, so its scaling has to be in the network"
    elif _channels(facts, port) == 1 and scaled.get("normalise") in _PER_COLOUR:
        said += f", but 0 to 1: {scaled['normalise']} has no value for one channel"
    return said


def _channels(facts: Facts, port: Port) -> int:
    if len(port.shape) != 4:
        return 3
    found = port.shape[3] if is_nhwc(port) else port.shape[1]
    return found if found in (1, 3) else int(facts.metadata.get("channels", 3))


def _constant(port: Port, side: Side) -> dict[str, Any]:
    """A second input that the network's pictures share: sizes in pixels of the input."""
    height, width = side
    values = {
        "orig_target_sizes": [[width, height]], "im_shape": [[height, width]],
        "image_shape": [[height, width]], "scale_factor": [[1.0, 1.0]],
    }  # fmt: skip
    if port.name not in values:
        raise ModelError(
            f"the network has a second input {port.name!r} {list(port.shape)} that is not known "
            "here: give it a value under input.extra in a model.json of your own"
        )
    return {"value": values[port.name], "dtype": port.dtype}


def _output(facts: Facts, family: Family) -> dict[str, Any]:
    made = dict(family.output)
    names = {port.name for port in facts.outputs}
    for role in ("boxes", "scores", "labels", "count", "score", "map"):
        if isinstance(made.get(role), str) and names and made[role] not in names:
            made.pop(role)
    if family.task == "classification":
        makers = [facts.makers.get(port.name, "") for port in facts.outputs[:1]]
        if makers and makers[0] in ("Softmax", "SoftmaxOutput", "softmax"):
            made["softmax"] = False  # it is in the network
        made["top"] = 5
    return made

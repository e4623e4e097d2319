"""What a network's files say about themselves, read without a runtime. Standard library only."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from types import MappingProxyType
from typing import Any, Mapping, NamedTuple
from xml.etree import ElementTree

from lambdas.model.errors import ModelError
from lambdas.model.onnx_file import Port, read_onnx
from lambdas.model.onnx_trust import external_files

_IR_TYPES = {"f32": "float32", "f16": "float16", "u8": "uint8", "i64": "int64", "i32": "int32"}
_MAX_WORDS_BYTES = 1 << 20
_PARAMS = re.compile(r"-\d{4}\.params\Z")


class Facts(NamedTuple):
    """`files`: role → path. `others`: further files that belong to it (weights outside)."""

    runtime: str
    files: dict[str, Path]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    metadata: dict[str, Any]
    operators: frozenset[str] = frozenset()
    #: Operators that make each output, by name; a softmax is told from there.
    makers: Mapping[str, str] = MappingProxyType({})
    others: tuple[Path, ...] = ()


def read_facts(path: Path) -> Facts:
    """Of a file, or of a folder with a SageMaker artifact. Raises `ModelError`."""
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    name = path.name
    if name.endswith(".onnx"):
        return _onnx(path)
    if name.endswith(".xml"):
        return _openvino(path)
    if name.endswith("-symbol.json"):
        return _mxnet(path)
    if name.endswith((".pt2", ".pt", ".pth", ".ts", ".torchscript")):
        return _torch(path)
    known = ".onnx, .xml (OpenVINO), -symbol.json (MXNet), .pt2, .torchscript"
    raise ModelError(f"{name}: no network that is known here; give {known}")


def _onnx(path: Path) -> Facts:
    found = read_onnx(str(path))
    for what, ports in (("input", found.inputs), ("output", found.outputs)):
        if not ports:
            raise ModelError(f"{path.name} has no {what}: it is a part of a network, or damaged")
    outside = external_files(found, str(path.parent), path.name)
    made = {output: node for node in found.nodes for output in node.outputs}
    makers = {}
    for port in found.outputs:
        node = made.get(port.name)
        while node is not None and node.op in ("Identity", "Cast", "Reshape", "Flatten", "Squeeze"):
            node = made.get(node.inputs[0])
        makers[port.name] = node.op if node is not None else ""
    return Facts(
        "onnxruntime", {"model": path}, found.inputs, found.outputs, dict(found.metadata),
        frozenset(node.op for node in found.nodes), makers,
        tuple(path.parent / name for name in sorted(outside)),
    )  # fmt: skip


def _openvino(path: Path) -> Facts:
    weights = path.with_suffix(".bin")
    if not weights.is_file():
        raise ModelError(f"{path.name}: its weights {weights.name} are missing beside it")
    try:
        root = ElementTree.parse(str(path)).getroot()  # noqa: S314 - the user's own file
    except ElementTree.ParseError as error:
        raise ModelError(f"{path.name} is no OpenVINO model: {error}") from None
    layers = {layer.get("id"): layer for layer in root.iter("layer")}
    inputs = [_ir_input(layer) for layer in layers.values() if layer.get("type") == "Parameter"]
    edges = {(e.get("to-layer")): (e.get("from-layer"), e.get("from-port"))
             for e in root.iter("edge")}  # fmt: skip
    outputs = []
    for identity, layer in layers.items():
        if layer.get("type") == "Result" and identity in edges:
            source, port = edges[identity]
            outputs.append(_ir_port(layers[source], port))
    return Facts(
        "openvino", {"model": path, "weights": weights}, tuple(inputs), tuple(outputs),
        _rt_info(root), frozenset(str(layer.get("type")) for layer in layers.values()),
    )  # fmt: skip


def _ir_input(layer: Any) -> Port:
    port = layer.find("output/port")
    data = layer.find("data")
    dtype = _IR_TYPES.get(str(data.get("element_type")), "unknown")
    names = (port.get("names") or layer.get("name") or "").split(",")
    return Port(names[0], dtype, _sides(port))


def _ir_port(layer: Any, number: str | None) -> Port:
    for port in layer.iter("port"):
        if port.get("id") == number and port.get("precision"):
            names = (port.get("names") or layer.get("name") or "").split(",")
            dtype = _IR_TYPES.get(port.get("precision", "").lower().replace("fp", "f"), "unknown")
            return Port(names[0], dtype, _sides(port))
    return Port(str(layer.get("name")), "unknown", ())


def _sides(port: Any) -> tuple[Any, ...]:
    sides = [int(dim.text or 0) for dim in port.findall("dim")]
    return tuple(side if side > 0 else None for side in sides)


def _rt_info(root: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for section in ("framework", "model_info"):
        for each in root.findall(f"rt_info/{section}/*"):
            if each.get("value") is not None:
                found[each.tag] = each.get("value")
    return found


def _mxnet(path: Path) -> Facts:
    try:
        document = json.loads(path.read_bytes())
        nodes = document["nodes"]
        heads = [nodes[head[0]] for head in document["heads"]]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise ModelError(f"{path.name} is no MXNet symbol: {error}") from None
    stem = path.name[: -len("-symbol.json")]
    params = sorted(p for p in path.parent.iterdir() if p.name.startswith(stem + "-")
                    and _PARAMS.search(p.name))  # fmt: skip
    if not params:
        raise ModelError(f"{path.name}: its parameters {stem}-0000.params are missing beside it")
    names = {node["name"] for node in nodes if node["op"] == "null"}
    if "label" in names and len(heads) > 1:
        outputs = ", ".join(head["name"] for head in heads)
        raise ModelError(
            f"{path.name} is the training network (outputs {outputs}; it wants the input 'label'): "
            "convert it to its deploy form (MXNet's example/ssd/deploy.py), whose one output is N×6"
        )
    return Facts(
        "mxnet", {"symbol": path, "params": params[-1]}, (Port("data", "float32", ()),),
        tuple(Port(head["name"], "float32", ()) for head in heads), {},
        frozenset(node["op"] for node in nodes),
        {head["name"]: str(head["op"]) for head in heads},
    )  # fmt: skip


def _folder(path: Path) -> Facts:
    symbols = sorted(path.glob("*-symbol.json"))
    if len(symbols) != 1:
        raise ModelError(
            f"{path} has {len(symbols)} files *-symbol.json: give the network's file, or a folder "
            "with a SageMaker artifact"
        )
    facts = _mxnet(symbols[0])
    hyper = path / "hyperparams.json"
    if not hyper.is_file():
        return facts
    try:
        found = json.loads(hyper.read_bytes())
    except ValueError as error:
        raise ModelError(f"hyperparams.json is not JSON: {error}") from None
    return facts._replace(metadata={k: str(v) for k, v in dict(found).items()})


def _torch(path: Path) -> Facts:
    if not zipfile.is_zipfile(str(path)):
        raise ModelError(f"{path.name} is no TorchScript and no .pt2: export the network first")
    with zipfile.ZipFile(str(path)) as archive:
        names = archive.namelist()
    parts = {name.rpartition("/")[2] for name in names}
    script = any("/code/" in name or name.startswith("code/") for name in names)
    exported = any("exported_program" in name or "/models/" in name for name in names)
    if not script and not exported:
        raise ModelError(
            f"{path.name} is a pickle (data.pkl) that runs any code when it is loaded: export it "
            "with torch.export.save (.pt2), torch.jit.save or to ONNX"
            if "data.pkl" in parts
            else f"{path.name} is no TorchScript and no .pt2: export the network first"
        )
    return Facts("pytorch", {"model": path}, (Port("0", "float32", ()),), (), _torch_words(path))


def _torch_words(path: Path) -> dict[str, Any]:
    """What Ultralytics writes beside its TorchScript: names, task, size."""
    with zipfile.ZipFile(str(path)) as archive:
        name = next((n for n in archive.namelist() if n.endswith("/extra/config.txt")), None)
        if name is None or archive.getinfo(name).file_size > _MAX_WORDS_BYTES:
            return {}
        try:
            found = json.loads(archive.read(name))
        except ValueError:
            return {}
    return dict(found) if isinstance(found, dict) else {}

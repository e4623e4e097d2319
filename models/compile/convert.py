"""One package's network in another runtime's files, or in int8."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

import numpy as np

from lambdas.model.onnx_file import read_onnx
from lambdas.model.onnx_trust import external_files
from lambdas.model.package import Package, sagemaker_manifest
from lambdas.model.spec import MANIFEST, ModelError
from lambdas.model.tasks.ssd_spec import DetectionRule, detection_document

TARGETS = ("mxnet", "onnxruntime", "openvino")
#: Keys of model.json that belong to the original's files or were measured with them.
_ITS_OWN = ("symbol", "params", "model", "weights", "files", "footprint", "compiled_from")


class Files(NamedTuple):
    """What a conversion wrote: role → file name, and what comes after the network."""

    roles: dict[str, str]
    rule: DetectionRule | None


class Int8(NamedTuple):
    """Batches to calibrate with; `full_range`: weights of eight bits, not seven."""

    calibration: Iterator[np.ndarray]
    full_range: bool


def convert(
    package: Package,
    target: str,
    int8: Int8 | None,
    out: Path,
    step: Callable[[str], None],
) -> Files:
    """Write the network's files for `target` to `out`.

    Raises `ModelError`.
    """
    source = package.spec.runtime
    if source not in {"mxnet", "onnxruntime"}:
        raise ModelError(
            f"{package.spec.name} {package.spec.version} is for runtime {source}; only packages "
            "for mxnet and onnxruntime can be compiled: start from the original"
        )
    if target == source and int8 is None:
        raise ModelError(f"the package is for {target} already: add --int8, or another --to")
    if target == "mxnet":
        if source != "mxnet" or int8 is None:
            raise ModelError(f"--to mxnet makes int8 of MXNet packages; this one is for {source}")
        return _to_mxnet(package, int8.calibration, out, step)
    with tempfile.TemporaryDirectory() as folder:
        network = Path(folder) / "network.onnx"
        rule = _to_onnx(package, network, step)
        if int8 is not None:
            from models.compile import onnx_model

            step("calibrate")
            exact, network = network, Path(folder) / "int8.onnx"
            onnx_model.quantize(exact, int8.calibration, network, full_range=int8.full_range)
        if target == "onnxruntime":
            (out / "network.onnx").write_bytes(network.read_bytes())
            return Files({"model": "network.onnx"}, rule)
        return Files(_to_openvino(network, out, step), rule)


def document(
    package: Package, target: str, files: Files, compiled_from: dict[str, Any]
) -> dict[str, Any]:
    """model.json of the compiled package, without hashes and footprint."""
    original = manifest(package.folder)
    made = {key: value for key, value in original.items() if key not in _ITS_OWN}
    kind = "-int8" if compiled_from["precision"] == "int8" else ""
    ending = f"-{target}{kind}"
    # 64 characters are the limit of `version`.
    made.update(
        files.roles, runtime=target, version=package.spec.version[: 64 - len(ending)] + ending
    )
    made["files"] = others(package)
    made["compiled_from"] = compiled_from
    if files.rule is not None:
        rule = json.loads(json.dumps(detection_document(files.rule)))
        made["output"] = dict(made.get("output", {}), detection=rule)
    return made


def others(package: Package) -> list[str]:
    """Files of a package beside its network: labels, a licence."""
    spec = package.spec
    network = {name for role, name in spec.roles.items() if role != "labels"}
    return sorted(set(spec.files) - network)


def manifest(folder: str) -> dict[str, Any]:
    """model.json, or what stands for it of a SageMaker artifact."""
    path = Path(folder) / MANIFEST
    content = path.read_bytes() if path.exists() else sagemaker_manifest(folder)
    found: dict[str, Any] = json.loads(content)
    return found


def _to_mxnet(
    package: Package, calibration: Iterator[np.ndarray], out: Path, step: Callable[[str], None]
) -> Files:
    import mxnet as mx

    from models.compile import mxnet_model

    step("calibrate")
    symbol = mx.sym.load(package.path("symbol"))
    saved = mx.nd.load(package.path("params"))
    mxnet_model.quantize(symbol, saved, package.spec.input, calibration, out / "network")
    return Files({"symbol": "network-symbol.json", "params": "network-0000.params"}, None)


def _to_onnx(package: Package, out: Path, step: Callable[[str], None]) -> DetectionRule | None:
    step("convert")
    if package.spec.runtime == "onnxruntime":
        source = Path(package.path("model"))
        out.write_bytes(source.read_bytes())
        for name in external_files(read_onnx(str(source)), str(source.parent), source.name):
            (out.parent / name).parent.mkdir(parents=True, exist_ok=True)
            (out.parent / name).write_bytes((source.parent / name).read_bytes())
        return package.spec.detection
    import mxnet as mx

    from models.compile import graph, onnx_model

    spec = package.spec.input
    found = graph.cut(mx.sym.load(package.path("symbol")), spec.name, spec.shape)
    saved = graph.parameters(found.network, mx.nd.load(package.path("params")))
    onnx_model.export(found.network, saved, spec.shape, out)
    return found.rule


def _to_openvino(network: Path, out: Path, step: Callable[[str], None]) -> dict[str, str]:
    from lambdas.model.runtimes.openvino_runtime import import_openvino

    ov = import_openvino()
    step("convert to OpenVINO")
    # Weights as they are: halved to 16 bit they would no longer be the original's.
    ov.save_model(ov.convert_model(str(network)), str(out / "network.xml"), compress_to_fp16=False)
    return {"model": "network.xml", "weights": "network.bin"}

"""May this ONNX file be opened, and can this device's runtime run it: said before it is.

ONNX Runtime up to 1.23 follows external data out of the package (`../`, absolute paths,
symbolic links), every version follows hard links; and what is too new it refuses in words
about itself. Standard library only.
"""

from __future__ import annotations

import os
import stat

from lambdas.model.errors import ModelError
from lambdas.model.onnx_file import External, OnnxFile, read_onnx
from lambdas.model.package import Package

#: ONNX Runtime from this version on → the newest IR and opset it takes (found by loading
#: stamped files; docs/spec/model-package.md).
ORT_LIMITS = (
    ((1, 32), 14, 28), ((1, 25), 13, 26), ((1, 24), 13, 25), ((1, 23), 11, 23),
    ((1, 21), 10, 22), ((1, 19), 10, 21), ((1, 17), 9, 20), ((1, 16), 9, 19),
)  # fmt: skip
#: Domains that every build of ONNX Runtime knows.
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")


def check_onnx(package: Package, version: str) -> OnnxFile:
    """`version`: of the ONNX Runtime here. Raises `ModelError`."""
    name = package.spec.roles["model"]
    found = read_onnx(package.path("model"))
    folder = os.path.dirname(package.path("model"))
    prefix = name.rpartition("/")[0]
    listed = {prefix + "/" + n if prefix else n for n in external_files(found, folder, name)}
    unlisted = sorted(listed - set(package.spec.files))
    if unlisted:
        raise ModelError(
            f"{name} keeps weights in {unlisted[0]}, which has no SHA-256 in `files`: pack the "
            "model again"
        )
    check_versions(found, name, version)
    return found


def check_versions(found: OnnxFile, name: str, version: str) -> None:
    """Whether ONNX Runtime `version` knows the file's IR, opset and operators."""
    ir, opset = limits_of(version)
    said = f"ONNX Runtime {version} on this device takes up to"
    newer = "or give the device a newer Python and runtime (docs/spec/model-package.md)"
    if found.ir_version > ir:
        raise ModelError(
            f"{name} is of ONNX IR version {found.ir_version}, {said} {ir}: export it with an "
            f"older onnx package, set model.ir_version = {ir} and save it, {newer}"
        )
    wanted = max(found.opsets.get("", 0), found.opsets.get("ai.onnx", 0))
    if wanted > opset:
        raise ModelError(
            f"{name} is of opset {wanted}, {said} {opset}: export it with "
            f"opset_version={opset}, {newer}"
        )
    odd = sorted({n.domain for n in found.nodes} - set(DOMAINS) - found.own_domains)
    if odd:
        tensorrt = any(d.startswith(("trt", "TRT")) for d in odd)
        raise ModelError(
            f"{name} uses operators of {odd[0]!r}, which only that library has: "
            + ("it was exported for TensorRT; export it for ONNX Runtime" if tensorrt else
               "export it with standard operators")
        )  # fmt: skip
    trt = next((n.op for n in found.nodes if n.op.endswith("_TRT")), None)
    if trt:
        raise ModelError(
            f"{name} uses {trt}, an operator of TensorRT that no other runtime has: export it "
            "without it (for YOLO: without NMS, or with nms for ONNX Runtime)"
        )


def limits_of(version: str) -> tuple[int, int]:
    """Newest IR version and opset of an ONNX Runtime."""
    numbers = tuple(int("".join(filter(str.isdigit, part)) or 0) for part in version.split("."))
    for since, ir, opset in ORT_LIMITS:
        if numbers[:2] >= since:
            return ir, opset
    return 8, 18


def external_files(found: OnnxFile, folder: str, name: str) -> set[str]:
    """Names of the files beside `name` in `folder` that hold its weights. Raises `ModelError`."""
    return {_checked(each, folder, name) for each in found.external}


def _checked(each: External, folder: str, name: str) -> str:
    where = f"{name}: the weights {each.tensor!r} lie in {each.location!r}"
    location = each.location
    parts = location.split("/")
    if not location or location.startswith("/") or "\\" in location or location[1:2] == ":":
        raise ModelError(f"{where}, an absolute path or none: it must be a file of the package")
    if any(part in ("", ".", "..") for part in parts):
        raise ModelError(f"{where}, a path with detours: it must be a plain name in the package")
    path = folder
    for part in parts:
        path = os.path.join(path, part)
        try:
            status = os.lstat(path)
        except (OSError, ValueError):
            raise ModelError(
                f"{where}, which is missing in the package: put it beside {name}, or export with "
                "external_data=False"
            ) from None
        if stat.S_ISLNK(status.st_mode):
            raise ModelError(f"{where}, a symbolic link: copy the file itself into the package")
    if not stat.S_ISREG(status.st_mode):
        raise ModelError(f"{where}, which is no regular file")
    if status.st_nlink != 1:
        raise ModelError(f"{where}, a hard link to another file: copy the file itself")
    end = each.offset + (each.length or 0)
    if each.offset < 0 or (each.length or 0) < 0 or end > status.st_size:
        raise ModelError(
            f"{where} at byte {each.offset} with {each.length} bytes, the file has "
            f"{status.st_size}: it is cut short or not its own"
        )
    return location

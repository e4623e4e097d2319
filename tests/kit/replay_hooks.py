"""A user's own code that says where an image was looked at; FANFOLD_HOOKS names it."""

from __future__ import annotations

import os
import time


def postprocess(outputs, context):
    return {
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
        "gpu_id": os.environ["GPU_ID"],
        "pid": os.getpid(),
        "at": time.monotonic(),
    }

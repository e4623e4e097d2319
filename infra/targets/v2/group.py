"""The group document that the Core component carries: without the model, which is another's."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from contract.model_pin import pin_document
from infra.targets.iot.request import group_document

_MODEL = "S3MachineLearningModelResourceData"


def core_document(document: Mapping[str, Any]) -> bytes:
    """As JSON. A new model must not make a new Core, whose deployment would restart the core."""
    own = copy.deepcopy(dict(document))
    for resource in own["Resources"]:
        if data := resource["ResourceDataContainer"].get(_MODEL):
            data["S3Uri"] = ""
    pin_document(own, "")
    return group_document(own)

"""The SHA-256 of a model package where its address has it: then it is pinned.

`fanfold model publish` names packages so. A worker opens a network that can run code of its own
only where this variable is there (docs/spec/model-package.md).
"""

import re
from typing import Any, Dict, Optional

PIN = "FANFOLD_MODEL_SHA256"
_OF_A_MODEL = "FANFOLD_MODEL_DIR"
_IN_ADDRESS = re.compile(r"-([0-9a-f]{64})\.(?:tar\.gz|tgz|zip)\Z")


def pinned_digest(address: str) -> Optional[str]:
    """64 hex digits; None where the address has none."""
    found = _IN_ADDRESS.search(address)
    return found.group(1) if found else None


def pin_document(document: Dict[str, Any], address: str) -> None:
    """In a group document: every function that has the model is told the pin of this address, or
    none where it has none."""
    digest = pinned_digest(address)
    for function in document.get("Functions") or []:
        configuration = function.get("FunctionConfiguration") or {}
        variables = (configuration.get("Environment") or {}).get("Variables") or {}
        if _OF_A_MODEL not in variables:
            continue
        variables.pop(PIN, None)
        if digest:
            variables[PIN] = digest

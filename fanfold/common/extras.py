"""What a plain installation leaves out, and the command that adds it."""

from __future__ import annotations

import importlib.util

from fanfold.common.errors import MISSING, UserError
from infra.where import INSTALLED

#: Extra of the package → a module that it brings.
BRINGS = {"deploy": "aws_cdk", "devcloud": "moto", "bench": "matplotlib"}


def require(extra: str, purpose: str) -> None:
    """Raises UserError (exit code 3) where an extra of the package is not installed."""
    module = BRINGS[extra]
    if importlib.util.find_spec(module) is None:
        remedy = f"pip install 'fanfold[{extra}]'" if INSTALLED else "make setup"
        raise UserError(f"{purpose} needs {module}, which is not installed: {remedy}", MISSING)

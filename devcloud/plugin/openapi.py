"""The validator of OpenAPI documents, read when a document is there to be validated.

moto's API Gateway imports it with everything that it needs, and CloudFormation imports that: a
fifth of what a start of this cloud computed.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

_NAMES = (
    "openapi_spec_validator",
    "openapi_spec_validator.validation",
    "openapi_spec_validator.validation.exceptions",
)


class _NotYetError(Exception):
    """In the place of OpenAPIValidationError, until something can raise it."""


def install() -> None:
    """Before moto's CloudFormation is imported; afterwards there is nothing to gain."""
    if any(name in sys.modules for name in (*_NAMES, "moto.apigateway.models")):
        return
    for name in _NAMES:
        sys.modules[name] = _stand_in(name)
    try:
        from moto.apigateway import models
    finally:
        for name in _NAMES:
            del sys.modules[name]

    def validate(document: Any) -> None:
        from openapi_spec_validator import validate as found
        from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

        models.validate, models.OpenAPIValidationError = found, OpenAPIValidationError
        found(document)

    models.validate = validate


def _stand_in(name: str) -> Any:
    made: Any = ModuleType(name)
    made.validate, made.OpenAPIValidationError = None, _NotYetError
    return made

"""A document of an API is validated by what is imported for it only then."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

import devcloud

INFO = {"title": "an-api", "version": "1", "description": ""}
GOOD = json.dumps({"openapi": "3.0.1", "info": INFO, "paths": {}})
BAD = json.dumps({"openapi": "3.0.1", "info": {**INFO, "title": 7}, "paths": {}})


def test_a_good_document_is_taken_and_a_bad_one_refused(cloud: devcloud.DevCloud) -> None:
    gateway = cloud.client("apigateway")

    with pytest.raises(ClientError, match="Failed to parse") as refused:
        gateway.import_rest_api(body=BAD, failOnWarnings=True)

    assert refused.value.response["Error"]["Code"] == "BadRequestException"
    assert gateway.import_rest_api(body=GOOD, failOnWarnings=True)["name"] == "an-api"

"""What the published SDK needs of the modules that AWS's core supplies, on Python 3.8."""

import sys

import pytest
from checkout import PROJECT

PROVIDED = PROJECT / "edgecore" / "runtime" / "provided"
sys.path.insert(0, str(PROVIDED))

from greengrass_common.function_arn_fields import FunctionArnFields  # noqa: E402

ARN = "arn:aws:lambda:us-east-1:123456789012:function:fanfold-demo-w0"


@pytest.mark.parametrize("qualifier", [None, "live", "7", "$LATEST"])
def test_an_arn_is_taken_apart_and_put_together_again(qualifier):
    whole = FunctionArnFields.build_function_arn(ARN, qualifier)
    fields = FunctionArnFields(whole)

    assert fields.unqualified_arn == ARN
    assert (fields.region, fields.account_id, fields.name) == (
        "us-east-1",
        "123456789012",
        "fanfold-demo-w0",
    )
    assert fields.qualifier == qualifier


def test_system_functions_have_neither_region_nor_account():
    fields = FunctionArnFields("arn:aws:lambda:::function:GGRouter")

    assert (fields.region, fields.account_id, fields.name) == ("", "", "GGRouter")


@pytest.mark.parametrize("wrong", ["", "GGRouter", ARN + ":a:b", ARN + "\n", "arn:aws:s3:::bucket"])
def test_what_is_no_function_arn_is_refused(wrong):
    with pytest.raises(ValueError, match="not a Lambda function ARN"):
        FunctionArnFields(wrong)


def test_the_published_sdk_imports_with_the_provided_modules(monkeypatch):
    monkeypatch.setenv("MY_FUNCTION_ARN", ARN + ":live")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "token")
    monkeypatch.setenv("GG_DAEMON_PORT", "8000")
    greengrasssdk = pytest.importorskip("greengrasssdk")

    assert greengrasssdk.client("iot-data") is not None

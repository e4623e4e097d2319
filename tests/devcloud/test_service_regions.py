"""A service has the regions that boto3 gives it, without its whole description being read."""

from __future__ import annotations

import boto3
import pytest
from botocore.loaders import Loader

from devcloud.plugin import regions

#: What a site's stacks, the command line and the devices ask.
SERVED = (
    "cloudformation", "ec2", "ecr", "greengrass", "greengrassv2", "iam", "iot", "iot-data",
    "lambda", "logs", "s3", "ssm", "sts",
)  # fmt: skip
#: Whose endpoints have another name, or which have no region.
LOOKED_UP = {"ecr", "greengrassv2", "iam", "iot-data"}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Services whose description was read, with the patch of this process undone at the end."""
    monkeypatch.setattr(
        boto3.session.Session,
        "get_available_regions",
        boto3.session.Session.get_available_regions,
    )
    read: list[str] = []
    load = Loader.load_service_model

    def loads(self, service_name, *args, **kwargs):
        read.append(service_name)
        return load(self, service_name, *args, **kwargs)

    monkeypatch.setattr(Loader, "load_service_model", loads)
    return read


@pytest.mark.parametrize("partition", ["aws", "aws-cn"])
def test_services_have_the_regions_of_boto3(read, partition):
    session = boto3.session.Session()
    known = {each: session.get_available_regions(each, partition) for each in SERVED}
    read.clear()

    regions.install()

    assert known == {each: session.get_available_regions(each, partition) for each in SERVED}
    assert set(read) <= LOOKED_UP
    assert partition != "aws" or known["ec2"]

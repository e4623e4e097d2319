"""What the development cloud shows to be wrong before a deployment begins: one message each."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml
from cloud_plant import Plant

from fanfold.common.errors import UserError


def test_another_account_than_the_sites_is_refused(plant: Plant):
    plant.write(account="210987654321")

    said = plant.fanfold("deploy", plant.name)

    assert said.returncode == 2
    assert "123456789012" in said.stderr
    assert "210987654321" in said.stderr


def test_a_region_without_bootstrap_says_how_to_bootstrap_it(plant: Plant):
    said = plant.fanfold("deploy", plant.name, "--aws")

    assert said.returncode == 3
    assert "npx cdk bootstrap aws://123456789012/us-east-1" in said.stderr


@pytest.fixture
def bootstrapped(plant: Plant) -> Iterator[Plant]:
    """As if bootstrapped: what is tested here ends before the CDK begins."""
    ssm = plant.cloud.client("ssm")
    name = "/cdk-bootstrap/hnb659fds/version"
    ssm.put_parameter(Name=name, Value="30", Type="String", Overwrite=True)
    yield plant
    ssm.delete_parameter(Name=name)


def test_a_model_in_no_bucket_names_the_bucket(bootstrapped: Plant):
    said = bootstrapped.fanfold("deploy", bootstrapped.name, "--model", "s3://no-such-bucket/m.zip")

    assert said.returncode == 3
    assert "there is no bucket no-such-bucket" in said.stderr


def test_a_model_in_another_region_is_refused_by_deploy_with_both_regions(bootstrapped: Plant):
    bucket = f"{bootstrapped.name}-elsewhere"
    place = {"LocationConstraint": "eu-west-1"}
    s3 = bootstrapped.cloud.client("s3", "eu-west-1")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
    s3.put_object(Bucket=bucket, Key="m.tar.gz", Body=b"")

    uri = f"s3://{bucket}/m.tar.gz"
    said = bootstrapped.fanfold("deploy", bootstrapped.name, "--aws", "--model", uri)

    assert said.returncode == 2
    assert f"model {uri}: bucket {bucket} is in eu-west-1, the site in us-east-1" in said.stderr
    assert "change `region` in the site's file" in said.stderr


def test_a_model_that_is_not_in_its_bucket_is_to_be_published(bootstrapped: Plant):
    uri = f"s3://{bootstrapped.bucket}/nowhere.tar.gz"
    said = bootstrapped.fanfold("deploy", bootstrapped.name, "--model", uri)

    assert said.returncode == 3
    assert "fanfold model publish" in said.stderr


def test_an_outbox_in_no_bucket_is_found_before_the_deployment(bootstrapped: Plant):
    bootstrapped.write(cloud={"outbox": {"bucket": "no-such-outbox"}})

    said = bootstrapped.fanfold("deploy", bootstrapped.name)

    assert said.returncode == 3
    assert "outbox bucket no-such-outbox" in said.stderr


def certificates(plant: Plant, **arns: str) -> None:
    folder = plant.folder / "sites" / "certificates"
    folder.mkdir(exist_ok=True)
    (folder / f"{plant.name}.json").write_text(json.dumps(arns))


def test_a_certificate_of_another_thing_is_refused(bootstrapped: Plant):
    plant, iot = bootstrapped, bootstrapped.clients["iot"]
    iot.create_thing(thingName=f"{plant.name}-stranger")
    arn = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.attach_thing_principal(thingName=f"{plant.name}-stranger", principal=arn)
    certificates(plant, **{f"{plant.name}-core": arn})

    for verb in ("deploy", "provision"):
        said = plant.fanfold(verb, plant.name)

        assert said.returncode == 2, said.stderr
        assert f"belongs to thing {plant.name}-stranger" in said.stderr
        assert f"fanfold provision {plant.name}" in said.stderr


def test_a_certificate_that_is_gone_is_refused_by_deploy_and_made_anew_by_provision(
    bootstrapped: Plant,
):
    plant = bootstrapped
    gone = f"arn:aws:iot:us-east-1:123456789012:cert/{'a' * 64}"
    certificates(plant, **{f"{plant.name}-core": gone})

    assert "is not in the development cloud" in plant.fanfold("deploy", plant.name).stderr
    assert plant.fanfold("provision", plant.name).returncode == 0


STATES = {
    "UPDATE_ROLLBACK_FAILED": "npx cdk rollback",
    "DELETE_FAILED": "fanfold destroy",
    "UPDATE_IN_PROGRESS": "wait",
}


@pytest.mark.parametrize("state", STATES)
def test_a_stack_that_cannot_be_deployed_says_the_way_out(state):
    from fanfold.cloud.stack import Stack, refuse_unfit

    with pytest.raises(UserError) as refused:
        refuse_unfit("line-3", Stack(state, {}, "Group: it was deployed"))

    assert refused.value.exit_code == 4
    assert state in str(refused.value)
    assert "Group: it was deployed" in str(refused.value)
    assert STATES[state] in str(refused.value)


def test_a_damaged_record_of_certificates_is_not_a_traceback(plant: Plant):
    folder = plant.folder / "sites" / "certificates"
    folder.mkdir()
    (folder / f"{plant.name}.json").write_text("{")

    said = plant.fanfold("provision", plant.name)

    assert said.returncode == 2
    assert f"{plant.name}.json" in said.stderr
    assert "Traceback" not in said.stderr


def test_the_site_of_the_tests_is_a_valid_one(plant: Plant):
    assert yaml.safe_load(plant.site_file.read_text())["name"] == plant.name
    assert plant.fanfold("plan", plant.name).returncode == 0

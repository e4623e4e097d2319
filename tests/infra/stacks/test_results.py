"""Where results land: a private bucket that stays, and rules that may write one prefix each."""

from __future__ import annotations

import json
from typing import Any

import pytest
from group_documents import gpu_site, with_cloud
from template_queries import of_type, the

BUCKET = "fanfold-line-123456789012-us-east-1"


@pytest.fixture(scope="module")
def cloudy(synthesize) -> dict[str, Any]:
    return synthesize(with_cloud(gpu_site()))


def rules(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Name → payload."""
    found = of_type(template, "AWS::IoT::TopicRule").values()
    return {rule["RuleName"]: rule["TopicRulePayload"] for rule in found}


def role_of(template: dict[str, Any], action: dict[str, Any]) -> dict[str, Any]:
    name = action["RoleArn"]["Fn::GetAtt"][0]
    return template["Resources"][name]["Properties"]


def test_the_bucket_is_private_encrypted_versioned_and_expires(cloudy):
    bucket = the(cloudy, "AWS::S3::Bucket")

    assert bucket["BucketName"] == BUCKET
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert "AES256" in json.dumps(bucket["BucketEncryption"])
    (kept,) = bucket["LifecycleConfiguration"]["Rules"]
    assert kept["ExpirationInDays"] == 730
    assert kept["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}


def test_whoever_comes_without_tls_is_denied(cloudy):
    statements = the(cloudy, "AWS::S3::BucketPolicy")["PolicyDocument"]["Statement"]

    denied = [s["Condition"] for s in statements if s["Effect"] == "Deny"]
    assert {"Bool": {"aws:SecureTransport": "false"}} in denied
    assert {"NumericLessThan": {"s3:TlsVersion": 1.2}} in denied
    assert not [s for s in statements if s["Effect"] == "Allow"]


def test_the_data_stays_when_the_stack_goes(cloudy):
    (bucket,) = (r for r in cloudy["Resources"].values() if r["Type"] == "AWS::S3::Bucket")

    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")


@pytest.mark.parametrize(
    ("name", "topic", "prefix"),
    [
        ("fanfold_line_results", "fanfold/line/results", "batches/site=line/"),
        ("fanfold_line_jobs", "fanfold/line/jobs", "jobs/site=line/"),
    ],
)
def test_a_rule_takes_one_topic_into_one_prefix_that_its_role_may_write(
    cloudy, name, topic, prefix
):
    payload = rules(cloudy)[name]
    (action,) = (action["S3"] for action in payload["Actions"])
    role = role_of(cloudy, action)
    put, log = role["Policies"][0]["PolicyDocument"]["Statement"]

    assert payload["Sql"] == f"SELECT * FROM '{topic}'"
    assert action["Key"] == prefix + "${partition}/${batch}.json"
    assert put["Action"] == "s3:PutObject"
    assert json.dumps(put["Resource"]).count(f":s3:::{BUCKET}/{prefix}*") == 1
    assert log["Resource"] != "*"
    assert "ManagedPolicyArns" not in role


def test_a_rules_role_serves_that_rule_of_this_account_only(cloudy):
    (action,) = (a["S3"] for a in rules(cloudy)["fanfold_line_results"]["Actions"])
    (trust,) = role_of(cloudy, action)["AssumeRolePolicyDocument"]["Statement"]

    assert trust["Principal"] == {"Service": "iot.amazonaws.com"}
    assert "rule/fanfold_line_results" in json.dumps(trust["Condition"]["ArnEquals"])
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}


def test_what_a_rule_cannot_write_is_logged(cloudy):
    error = rules(cloudy)["fanfold_line_results"]["ErrorAction"]["CloudwatchLogs"]

    (log_group,) = (
        name
        for name, group in of_type(cloudy, "AWS::Logs::LogGroup").items()
        if group["LogGroupName"] == "/fanfold/line/rule-errors"
    )
    assert error["LogGroupName"] == {"Ref": log_group}


def test_a_bucket_that_exists_is_used_and_not_made(synthesize):
    document = with_cloud(gpu_site("own"))
    document["Cloud"]["Results"].update(Bucket="plant-results", Create=False)

    template = synthesize(document)

    assert not of_type(template, "AWS::S3::Bucket")
    (action,) = (a["S3"] for a in rules(template)["fanfold_own_results"]["Actions"])
    assert action["BucketName"] == "plant-results"


def test_nothing_is_deployed_before_its_results_have_a_place(cloudy, assemble):
    first, then = assemble(with_cloud(gpu_site()))

    assert of_type(first.template, "AWS::IoT::TopicRule") == of_type(cloudy, "AWS::IoT::TopicRule")
    assert of_type(then.template, "Custom::GreengrassDeployment")
    assert first.id in [each.id for each in then.dependencies]


def test_the_outputs_name_the_bucket_and_the_prefix(cloudy):
    outputs = cloudy["Outputs"]

    assert outputs["ResultsBucket"]["Value"] == BUCKET
    assert outputs["ResultsPrefix"]["Value"] == "batches/site=line/"

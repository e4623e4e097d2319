"""Target iot: what a device may do, and what the job is asked for. Pure."""

from __future__ import annotations

import json

import pytest
from checkout import PROJECT

from devcloud.iot.policy import Request, allows
from infra.planning import InvalidInput, check, errors, load_site, plan_group, render
from infra.targets.iot import IotNames, core_policy, group_document, job_settings, role_statements
from infra.targets.iot.policy import refuse_too_long
from infra.targets.iot.request import request

SITE = """
name: edge
profile: cpu-gateway-4core
account: "111122223333"
region: eu-central-1
core: {core}
target: {target}
model: {{s3_uri: s3://models/lite0.tar.gz}}
cameras: [{{name: cam1}}]
volumes: {{images: /srv/images, state: /srv/state}}
{more}
"""
IOT = "arn:aws:iot:eu-central-1:111122223333"


def document(tmp_path, core="{thing: edge-core}", target="iot", more=""):
    path = tmp_path / "edge.yaml"
    path.write_text(SITE.format(core=core, target=target, more=more))
    site, profile = load_site(path, PROJECT / "device_profiles")
    plan = plan_group(site, profile)
    return render(plan), errors(check(plan))


def may(policy, thing: str, action: str, resource: str) -> bool:
    context = {
        "iot:ClientId": thing, "iot:Connection.Thing.ThingName": thing,
        "iot:Connection.Thing.IsAttached": "true",
    }  # fmt: skip
    return allows([policy], Request(f"iot:{action}", f"{IOT}:{resource}"), context)


@pytest.mark.parametrize("core", ["{thing: edge-core}", "{group: boxes}"])
def test_a_core_speaks_as_itself_only_whatever_its_site_is_for(tmp_path, core):
    policy = core_policy(document(tmp_path, core)[0])

    assert may(policy, "box-1", "Connect", "client/box-1")
    assert may(policy, "box-1", "Publish", "topic/fanfold/edge/box-1/results")
    assert may(policy, "box-1", "Subscribe", "topicfilter/$aws/things/box-1/jobs/notify-next")
    assert not may(policy, "box-1", "Connect", "client/box-2")
    assert not may(policy, "box-1", "Publish", "topic/fanfold/edge/box-2/results")
    assert not may(policy, "box-1", "Publish", "topic/$aws/things/box-2/jobs/start-next")
    assert not may(policy, "box-1", "AssumeRoleWithCertificate", "rolealias/fanfold-other")


def test_no_statement_is_for_everything(tmp_path):
    made, _ = document(tmp_path, more="cloud: {outbox: {}}")
    statements = [*core_policy(made)["Statement"], *role_statements(made)]

    assert not [r for s in statements for r in s["Resource"] if r == "*" or r.endswith(":*")]
    assert not [a for s in statements for a in s["Action"] if "*" in a]


def test_a_policy_beyond_awss_limit_is_refused_before_it_is_deployed():
    with pytest.raises(InvalidInput, match="2048 allowed"):
        refuse_too_long("edge", {"Statement": ["x" * 2048]})


def test_the_longest_names_still_fit(tmp_path):
    made, _ = document(tmp_path)
    made["Name"] = "s" * 41

    assert core_policy(made)["Statement"]
    assert len(IotNames.of(made).bucket) <= 63
    assert len(IotNames.of(made).job_prefix) + len("1796000000-12345678") <= 64


def test_topics_to_the_cloud_carry_the_cores_name_and_the_rules_take_any_core(tmp_path):
    made, wrong = document(tmp_path, "{group: boxes}")
    subjects = {s["Subject"] for s in made["Subscriptions"] if s["Target"] == "cloud"}

    assert wrong == []
    assert "fanfold/edge/${thing}/results" in subjects
    assert made["Cloud"]["Results"]["Batches"]["Topic"] == "fanfold/edge/+/results"
    assert made["Core"]["ThingArn"].endswith("thing/${thing}")


def test_v1_documents_are_what_they_were(tmp_path):
    made, _ = document(tmp_path, target="v1")

    assert "Target" not in made
    assert made["Cloud"]["Results"]["Batches"]["Topic"] == "fanfold/edge/results"


def test_the_job_has_the_sites_rate_abort_rule_time_out_and_retries(tmp_path):
    more = (
        "rollout: {per_minute: 50, growth: {base_per_minute: 2, factor: 1.5, every_succeeded: 10},"
        " abort: {failed_percent: 12.5, after: 4}, timeout_s: 600, retries: 2}"
    )
    settings = job_settings(document(tmp_path, more=more)[0])

    assert settings["timeoutConfig"] == {"inProgressTimeoutInMinutes": 20}
    assert settings["jobExecutionsRolloutConfig"] == {
        "maximumPerMinute": 50,
        "exponentialRate": {
            "baseRatePerMinute": 2, "incrementFactor": 1.5,
            "rateIncreaseCriteria": {"numberOfSucceededThings": 10},
        },
    }  # fmt: skip
    (abort,) = settings["abortConfig"]["criteriaList"]
    assert (abort["thresholdPercentage"], abort["minNumberOfExecutedThings"]) == (12.5, 4)
    (retry,) = settings["jobExecutionsRetryConfig"]["criteriaList"]
    assert retry["numberOfRetries"] == 2


def test_the_device_gets_the_same_bytes_for_the_same_group_and_nothing_of_the_stack(tmp_path):
    made, _ = document(tmp_path)
    content = group_document(made)

    assert content == group_document(json.loads(json.dumps(made)))
    assert not {"Cloud", "Target", "Account"} & set(json.loads(content))


@pytest.mark.parametrize(
    ("core", "target", "code"),
    [("{group: boxes}", "v1", "FF161"), ("{thing: edge-core}", "v2", "FF160")],
)
def test_what_the_target_cannot_do_is_refused(tmp_path, core, target, code):
    _, wrong = document(tmp_path, core, target)

    assert code in {finding.code for finding in wrong}


@pytest.mark.parametrize("core", ["{}", "{thing: a, group: b}"])
def test_a_core_is_one_thing_or_one_group(tmp_path, core):
    with pytest.raises(InvalidInput, match=r"core"):
        document(tmp_path, core)


def test_a_group_is_told_to_put_each_things_name_in(tmp_path):
    asked = request(document(tmp_path, "{group: boxes}")[0])

    assert asked["PerThing"] == "true"
    assert asked["Target"] == f"{IOT}:thinggroup/boxes"


BUNDLE = "fanfold-0.2.0-0123456789-{arch}-py3.11-onnxruntime.tar"


def of_bundle(name: str, thing: str = "thing: edge-core") -> str:
    return f"{{{thing}, bundle: {name}}}"


def test_the_job_brings_the_version_of_the_core_that_the_bundles_name_says(tmp_path):
    made, wrong = document(tmp_path, of_bundle(BUNDLE.format(arch="x86_64")))

    assert wrong == []
    assert request(made)["CoreVersion"] == "0.2.0-0123456789"
    assert b"bundle" not in group_document(made).lower()


def test_a_site_without_a_bundle_asks_for_what_it_always_asked(tmp_path):
    assert "CoreVersion" not in request(document(tmp_path)[0])


def test_a_bundle_is_found_beside_the_sites_file(tmp_path):
    name = BUNDLE.format(arch="x86_64")
    (tmp_path / name).touch()

    assert document(tmp_path, of_bundle(name))[0]["Target"]["Bundle"] == str(tmp_path / name)


@pytest.mark.parametrize(
    ("arch", "target", "said"),
    [("aarch64", "iot", "fanfold bundle --arch x86_64"), ("x86_64", "v1", "target: iot")],
)
def test_a_bundle_that_no_device_could_take_is_refused_with_the_remedy(
    tmp_path, arch, target, said
):
    _, wrong = document(tmp_path, of_bundle(BUNDLE.format(arch=arch)), target=target)

    assert [finding.code for finding in wrong] == ["FF177"]
    assert said in wrong[0].remedy


def test_a_file_that_is_no_bundle_by_its_name_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="as `fanfold bundle` names it"):
        document(tmp_path, of_bundle("core.tar"))

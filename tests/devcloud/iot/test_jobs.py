"""Jobs from CreateJob to the device's last word; boto3 on one side, paho on the other."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from paho_client import Client
from thing_jobs import DOCUMENT, Device, create, described, status_on
from things import IOT
from waiting import eventually

pytestmark = pytest.mark.xdist_group("devcloud")


def test_a_job_is_notified_started_updated_and_done(new_thing):
    thing = new_thing()
    with Device(thing) as device:
        job_id = create(thing)
        told = device.next_notice()
        verdict, started = device.ask("start-next", statusDetails={"step": "fetching"})
        execution = started["execution"]
        _, updated = device.ask(
            f"{job_id}/update", status="SUCCEEDED", includeJobExecutionState=True,
            expectedVersion=execution["versionNumber"], statusDetails={"step": "done"},
        )  # fmt: skip
        after = device.next_notice()

    assert told["execution"]["jobId"] == job_id
    assert told["execution"]["jobDocument"] == DOCUMENT
    assert (verdict, execution["status"]) == ("accepted", "IN_PROGRESS")
    assert updated["executionState"]["status"] == "SUCCEEDED"
    assert updated["executionState"]["versionNumber"] == execution["versionNumber"] + 1
    assert after["execution"] == {}
    job = described(thing, job_id)
    assert (job["status"], job["jobProcessDetails"]["numberOfSucceededThings"]) == ("COMPLETED", 1)


def test_a_device_that_was_away_finds_its_jobs_in_order_and_the_begun_one_again(new_thing):
    thing = new_thing()
    first, second = create(thing), create(thing)
    with Device(thing) as device:
        _, pending = device.ask("get")
        _, started = device.ask("start-next")
    with Device(thing) as device:
        _, again = device.ask("start-next")
        _, following = device.ask("$next/get", includeJobDocument=False)

    assert [job["jobId"] for job in pending["queuedJobs"]] == [first, second]
    assert started["execution"]["jobId"] == again["execution"]["jobId"] == first
    assert again["execution"]["versionNumber"] == started["execution"]["versionNumber"]
    assert "jobDocument" not in following["execution"]


def test_without_a_job_the_answer_has_no_execution(new_thing):
    with Device(new_thing()) as device:
        assert "execution" not in device.ask("start-next")[1]
        assert "execution" not in device.ask("$next/get")[1]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"status": "SUCCEEDED", "expectedVersion": 7}, "VersionMismatch"),
        ({"status": "CANCELED"}, "InvalidRequest"),
        ({"status": "IN_PROGRESS", "statusDetails": {"a b": "x"}}, "InvalidRequest"),
        ({"status": "IN_PROGRESS", "statusDetails": {"a": "x" * 1025}}, "InvalidRequest"),
        ({"status": "IN_PROGRESS", "statusDetails": {f"k{n}": "x" for n in range(11)}},
         "InvalidRequest"),
    ],
)  # fmt: skip
def test_an_update_that_aws_would_refuse_is_refused_with_its_code(new_thing, body, code):
    thing = new_thing()
    job_id = create(thing)
    with Device(thing) as device:
        device.ask("start-next")

        verdict, answer = device.ask(f"{job_id}/update", **body)

    assert (verdict, answer["code"]) == ("rejected", code)
    assert status_on(thing, job_id) == "IN_PROGRESS"


def test_a_finished_execution_takes_no_further_word_and_an_unknown_job_is_not_found(new_thing):
    thing = new_thing()
    job_id = create(thing)
    with Device(thing) as device:
        device.ask(f"{job_id}/update", status="REJECTED")
        _, twice = device.ask(f"{job_id}/update", status="SUCCEEDED")
        _, unknown = device.ask("nobody-knows/update", status="SUCCEEDED")

    assert twice["code"] == "TerminalStateReached"
    assert twice["executionState"]["status"] == "REJECTED"
    assert unknown["code"] == "ResourceNotFound"


def test_only_who_asked_hears_the_answer(new_thing):
    thing = new_thing()
    spy = new_thing([{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}])
    create(thing)
    with Client(spy) as listener, Device(thing) as device:
        listener.subscribe(f"{device.prefix}#")
        device.ask("start-next")
        create(thing)

        heard = {listener.message()[0].rpartition("/")[2]}

    assert heard == {"notify"}


def test_cancel_spares_what_is_in_progress_unless_forced(new_thing):
    thing = new_thing()
    running, queued = create(thing), create(thing)
    iot = thing.cloud.client("iot")
    with Device(thing) as device:
        device.ask("start-next")
        iot.cancel_job(jobId=running)
        iot.cancel_job(jobId=queued, reasonCode="WRONG")
        kept, gone = status_on(thing, running), status_on(thing, queued)
        iot.cancel_job_execution(jobId=running, thingName=thing.name, force=True)
        _, late = device.ask(f"{running}/update", status="SUCCEEDED")

    assert (kept, gone) == ("IN_PROGRESS", "CANCELED")
    assert late["code"] == "TerminalStateReached"
    assert described(thing, queued)["reasonCode"] == "WRONG"


def test_a_device_that_takes_too_long_is_timed_out_and_the_job_is_tried_again(new_thing):
    thing = new_thing()
    thing.cloud.iot(settings={"minute_s": 0.2})
    retry = {"criteriaList": [{"failureType": "TIMED_OUT", "numberOfRetries": 1}]}
    with Device(thing) as device:
        job_id = create(
            thing, timeoutConfig={"inProgressTimeoutInMinutes": 1}, jobExecutionsRetryConfig=retry
        )
        _, first = device.ask("start-next")
        again = device.next_notice()
        while again.get("execution", {}).get("executionNumber") != 2:
            again = device.next_notice()
        _, second = device.ask("start-next")
        eventually(lambda: status_on(thing, job_id) == "TIMED_OUT", "second attempt timed out")

    assert first["execution"]["executionNumber"] == 1
    assert second["execution"]["executionNumber"] == 2
    assert described(thing, job_id)["jobProcessDetails"]["numberOfTimedOutThings"] == 1


def group_of(things, name: str) -> str:
    iot = things[0].cloud.client("iot")
    arn = iot.create_thing_group(thingGroupName=name)["thingGroupArn"]
    for thing in things:
        iot.add_thing_to_thing_group(thingGroupName=name, thingName=thing.name)
    return arn


def test_a_group_is_rolled_out_at_its_rate_and_each_thing_reports(new_thing):
    things = [new_thing() for _ in range(3)]
    things[0].cloud.iot(settings={"minute_s": 0.5})
    arn = group_of(things, f"g-{things[0].name}")

    job_id = create(things[0], targets=[arn], jobExecutionsRolloutConfig={"maximumPerMinute": 1})
    at_first = described(things[0], job_id)["jobProcessDetails"]
    iot = things[0].cloud.client("iot")

    def queued() -> int:
        found = iot.list_job_executions_for_job(jobId=job_id)["executionSummaries"]
        return len(found)

    assert at_first["numberOfQueuedThings"] == 3
    eventually(lambda: queued() == 3, "all things were told")
    for thing in things:
        with Device(thing) as device:
            device.ask(f"{job_id}/update", status="SUCCEEDED")
    assert described(things[0], job_id)["status"] == "COMPLETED"


def test_an_abort_rule_stops_the_rollout_for_who_has_not_begun(new_thing):
    things = [new_thing() for _ in range(3)]
    rule = {"failureType": "FAILED", "action": "CANCEL", "thresholdPercentage": 50,
            "minNumberOfExecutedThings": 1}  # fmt: skip
    arn = group_of(things, f"g-{things[0].name}")
    job_id = create(things[0], targets=[arn], abortConfig={"criteriaList": [rule]})
    with Device(things[0]) as first, Device(things[1]) as second:
        second.ask("start-next")
        first.ask(f"{job_id}/update", status="FAILED", statusDetails={"reason": "no"})

    assert described(things[0], job_id)["status"] == "CANCELED"
    assert [status_on(thing, job_id) for thing in things] == ["FAILED", "IN_PROGRESS", "CANCELED"]


def test_a_continuous_job_reaches_a_thing_that_joins_its_group(new_thing):
    old, new = new_thing(), new_thing()
    arn = group_of([old], f"g-{old.name}")
    job_id = create(old, targets=[arn], targetSelection="CONTINUOUS")
    with Device(new) as device:
        old.cloud.client("iot").add_thing_to_thing_group(
            thingGroupName=f"g-{old.name}", thingName=new.name
        )

        assert device.next_notice()["execution"]["jobId"] == job_id
    assert described(old, job_id)["status"] == "IN_PROGRESS"


def test_a_job_id_is_used_once_and_a_target_must_be_there(new_thing):
    thing = new_thing()
    job_id = create(thing)

    with pytest.raises(ClientError, match="ResourceAlreadyExists"):
        create(thing, job_id)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        create(thing, targets=[f"{IOT}:thing/nobody"])


def test_a_presigned_link_of_the_document_opens_as_the_jobs_role_may(new_thing):
    import urllib.error
    import urllib.request

    thing = new_thing()
    cloud, name = thing.cloud, thing.name
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=f"art-{name}")
    s3.put_object(Bucket=f"art-{name}", Key="ok/a.json", Body=b"artifact")
    s3.put_object(Bucket=f"art-{name}", Key="no/a.json", Body=b"secret")
    version = {"Version": "2012-10-17"}
    trust = {"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"},
             "Action": "sts:AssumeRole"}  # fmt: skip
    role = cloud.client("iam").create_role(
        RoleName=f"jobs-{name}",
        AssumeRolePolicyDocument=json.dumps({**version, "Statement": trust}),
    )["Role"]["Arn"]
    read = {"Effect": "Allow", "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::art-{name}/ok/*"}  # fmt: skip
    cloud.client("iam").put_role_policy(
        RoleName=f"jobs-{name}", PolicyName="p",
        PolicyDocument=json.dumps({**version, "Statement": [read]}),
    )  # fmt: skip
    links = {
        "good": f"${{aws:iot:s3-presigned-url:https://s3.us-east-1.amazonaws.com/art-{name}/ok/a.json}}",
        "bad": f"${{aws:iot:s3-presigned-url-v2:https://art-{name}.s3.us-east-1.amazonaws.com/no%2Fa.json}}",
    }
    cloud.client("iot").create_job(
        jobId=f"links-{name}", targets=[f"{IOT}:thing/{name}"], document=json.dumps(links),
        presignedUrlConfig={"roleArn": role, "expiresInSec": 60},
    )  # fmt: skip
    with Device(thing) as device:
        document = device.ask("$next/get")[1]["execution"]["jobDocument"]

    assert urllib.request.urlopen(document["good"], timeout=10).read() == b"artifact"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(document["bad"], timeout=10)

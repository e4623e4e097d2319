"""Shadows over MQTT and the API, and a role's credentials for who has only a certificate."""

from __future__ import annotations

import http.client
import json
import ssl

import boto3
import pytest
from botocore.exceptions import ClientError
from paho_client import Client
from things import IOT, OWN, T, allow

pytestmark = pytest.mark.xdist_group("devcloud")


class Twin(Client):
    def open(self, *args, **options) -> int:
        reason = super().open(*args, **options)
        base = self.base
        self.subscribe(*(f"{base}/{verb}/{end}" for verb in ("get", "update", "delete")
                         for end in ("accepted", "rejected")),
                       f"{base}/update/delta", f"{base}/update/documents")  # fmt: skip
        return reason

    def __init__(self, thing, shadow: str | None = None) -> None:
        named = f"/name/{shadow}" if shadow else ""
        self.base = f"$aws/things/{thing.name}/shadow{named}"
        super().__init__(thing)

    def ask(self, verb: str, **body):
        self.publish(f"{self.base}/{verb}", body)
        while True:
            topic, found = self.message()
            end = topic.removeprefix(f"{self.base}/")
            if end in (f"{verb}/accepted", f"{verb}/rejected"):
                return end.rpartition("/")[2], found

    def told(self, end: str):
        while True:
            topic, found = self.message()
            if topic == f"{self.base}/{end}":
                return found


@pytest.mark.parametrize("name", [None, "settings"])
def test_what_is_desired_comes_as_a_delta_until_it_is_reported(new_thing, name):
    thing = new_thing()
    data = thing.cloud.client("iot-data")
    named = {"shadowName": name} if name else {}
    with Twin(thing, name) as twin:
        twin.ask("update", state={"reported": {"rate": 1, "mode": {"a": 1}}})
        data.update_thing_shadow(
            thingName=thing.name, payload=json.dumps({"state": {"desired": {"rate": 5}}}), **named
        )
        delta = twin.told("update/delta")
        verdict, done = twin.ask(
            "update", state={"reported": {"rate": 5}}, version=delta["version"], clientToken="t1"
        )
        found = json.load(data.get_thing_shadow(thingName=thing.name, **named)["payload"])

    assert (delta["state"], delta["version"]) == ({"rate": 5}, 2)
    assert (verdict, done["version"], done["clientToken"]) == ("accepted", 3, "t1")
    assert found["state"] == {"desired": {"rate": 5}, "reported": {"rate": 5, "mode": {"a": 1}}}
    assert found["metadata"]["reported"]["rate"]["timestamp"] > 0


def test_another_version_is_refused_with_409_and_a_document_tells_before_and_after(new_thing):
    thing = new_thing()
    with Twin(thing) as twin:
        twin.ask("update", state={"reported": {"n": 1}})
        documents = twin.told("update/documents")
        verdict, refused = twin.ask("update", state={"reported": {"n": 2}}, version=9)
        _, kept = twin.ask("get")

    assert documents["previous"]["version"] == 0
    assert documents["current"]["state"] == {"reported": {"n": 1}}
    assert (verdict, refused["code"]) == ("rejected", 409)
    assert kept["state"]["reported"] == {"n": 1}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 400),
        ({"state": {"other": {}}}, 400),
        ({"state": {"reported": {"x": "y" * 9000}}}, 413),
    ],
)
def test_what_the_service_would_refuse_is_refused_with_its_code(new_thing, body, code):
    with Twin(new_thing()) as twin:
        verdict, answer = twin.ask("update", **body)

    assert (verdict, answer["code"]) == ("rejected", code)


def test_null_removes_and_the_version_survives_a_delete(new_thing):
    thing = new_thing()
    with Twin(thing) as twin:
        twin.ask("update", state={"reported": {"a": 1, "b": 2}})
        twin.ask("update", state={"reported": {"a": None}})
        _, found = twin.ask("get")
        twin.ask("delete")
        verdict, gone = twin.ask("get")
        _, again = twin.ask("update", state={"reported": {"c": 3}})

    assert found["state"]["reported"] == {"b": 2}
    assert (verdict, gone["code"]) == ("rejected", 404)
    assert again["version"] == 4


# Credentials.

ALIAS = "fanfold-test"
VERSION = {"Version": "2012-10-17"}


@pytest.fixture
def lending(new_thing):
    """A thing whose role may read below its own name in one bucket."""
    thing = new_thing([*OWN, allow("iot:AssumeRoleWithCertificate", f"rolealias/{ALIAS}-{T}",
                                   "rolealias/*")])  # fmt: skip
    iam, name = thing.cloud.client("iam"), f"lend-{thing.name}"
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole",
             "Principal": {"Service": "credentials.iot.amazonaws.com"}}  # fmt: skip
    role = iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({**VERSION, "Statement": [trust]})
    )["Role"]["Arn"]
    own = f"arn:aws:s3:::{name}/${{credentials-iot:ThingName}}/*"
    put = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": own}
    iam.put_role_policy(
        RoleName=name, PolicyName="p", PolicyDocument=json.dumps({**VERSION, "Statement": [put]})
    )
    thing.cloud.client("s3").create_bucket(Bucket=name)
    thing.cloud.client("iot").create_role_alias(
        roleAlias=name, roleArn=role, credentialDurationSeconds=3600
    )
    return thing, name


def ask(thing, alias: str, name: str | None) -> tuple[int, dict]:
    context = ssl.create_default_context(cafile=str(thing.ca))
    context.load_cert_chain(thing.certificate, thing.key)
    connection = http.client.HTTPSConnection("localhost", thing.port, context=context, timeout=20)
    headers = {"x-amzn-iot-thingname": name} if name else {}
    connection.request("GET", f"/role-aliases/{alias}/credentials", headers=headers)
    answer = connection.getresponse()
    found = json.loads(answer.read())
    connection.close()
    return answer.status, found


def client_with(thing, given: dict, service: str = "s3"):
    return boto3.client(
        service, region_name="us-east-1", endpoint_url=thing.cloud.url,
        aws_access_key_id=given["accessKeyId"], aws_secret_access_key=given["secretAccessKey"],
        aws_session_token=given["sessionToken"],
    )  # fmt: skip


def test_the_role_does_what_its_policy_says_for_this_thing_and_nothing_else(lending):
    thing, name = lending
    status, found = ask(thing, name, thing.name)
    s3 = client_with(thing, found["credentials"])

    s3.put_object(Bucket=name, Key=f"{thing.name}/a", Body=b"mine")

    assert status == 200
    assert found["credentials"]["expiration"].endswith("Z")
    assert s3.get_object(Bucket=name, Key=f"{thing.name}/a")["Body"].read() == b"mine"
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=name, Key="another/a", Body=b"theirs")
    with pytest.raises(ClientError, match="AccessDenied"):
        client_with(thing, found["credentials"], "iot").list_things()


def test_a_thing_of_another_certificate_is_denied_and_without_a_name_there_is_no_variable(
    lending, new_thing
):
    thing, name = lending
    status, _ = ask(thing, name, new_thing().name)
    _, unnamed = ask(thing, name, None)

    assert status == 403
    with pytest.raises(ClientError, match="AccessDenied"):
        client_with(thing, unnamed["credentials"]).put_object(
            Bucket=name, Key=f"{thing.name}/a", Body=b"x"
        )


def test_an_unknown_alias_is_404_and_a_role_that_does_not_trust_the_provider_is_403(lending):
    thing, name = lending
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole",
             "Principal": {"Service": "lambda.amazonaws.com"}}  # fmt: skip
    thing.cloud.client("iam").update_assume_role_policy(
        RoleName=name, PolicyDocument=json.dumps({**VERSION, "Statement": [trust]})
    )

    assert ask(thing, "nobody", thing.name)[0] == 404
    assert ask(thing, name, thing.name) == (403, {"message": "Access Denied"})


def test_without_the_policys_leave_and_with_an_inactive_certificate_there_are_none(
    lending, new_thing
):
    thing, name = lending
    other = new_thing()
    before = ask(other, name, other.name)[0]
    thing.cloud.client("iot").update_certificate(
        certificateId=thing.certificate_id, newStatus="INACTIVE"
    )

    assert before == 403
    assert ask(thing, name, thing.name)[0] == 403


def test_a_device_publishes_over_https_where_its_policy_names_the_topic(new_thing):
    thing = new_thing([{"Effect": "Allow", "Action": "iot:Publish",
                        "Resource": f"{IOT}:topic/site/${{iot:CertificateId}}/*"}])  # fmt: skip
    context = ssl.create_default_context(cafile=str(thing.ca))
    context.load_cert_chain(thing.certificate, thing.key)
    connection = http.client.HTTPSConnection("localhost", thing.port, context=context, timeout=20)

    def post(topic: str) -> int:
        connection.request("POST", f"/topics/{topic}?qos=1", b"{}")
        answer = connection.getresponse()
        answer.read()
        return answer.status

    assert post(f"site%2F{thing.certificate_id}%2Fresults") == 200
    assert post("site%2Fothers") == 403
    connection.close()

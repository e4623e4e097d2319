"""MQTT on the development cloud's AWS IoT endpoint."""

from __future__ import annotations

import json
import queue
import subprocess

import pytest
from paho_client import Client
from things import allow

pytestmark = pytest.mark.xdist_group("devcloud")
both = pytest.mark.parametrize("v5", [True, False], ids=["mqtt5", "mqtt311"])


@both
def test_a_thing_hears_what_it_publishes_on_its_own_topics(new_thing, v5):
    thing = new_thing()
    with Client(thing, v5=v5) as client:
        assert client.subscribe(f"site/{thing.name}/#") == [1]

        assert client.publish(f"site/{thing.name}/results", {"n": 1}) == 0

        assert client.message() == (f"site/{thing.name}/results", {"n": 1})


def test_the_connack_says_awss_quotas_and_the_keep_alive_is_clamped(new_thing):
    client = Client(new_thing())
    assert client.open(keepalive=5) == 0
    said = client.properties
    client.close()

    assert (said.ServerKeepAlive, said.MaximumQoS, said.ReceiveMaximum) == (30, 1, 100)
    assert (said.MaximumPacketSize, said.TopicAliasMaximum) == (149_504, 8)


def test_user_properties_travel_from_mqtt_5_to_mqtt_5(new_thing):
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    thing = new_thing()
    with Client(thing) as client:
        client.subscribe(f"site/{thing.name}/a")
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = ("stream", "cam1")
        properties.ContentType = "application/json"

        client.paho.publish(f"site/{thing.name}/a", b"x", 1, properties=properties)
        found = client.messages.get(timeout=20)

    assert found.properties.UserProperty == [("stream", "cam1")]
    assert found.properties.ContentType == "application/json"


def test_mosquitto_publishes_with_the_same_certificate(new_thing):
    thing = new_thing()
    iot = thing.cloud.client("iot")
    assert iot.describe_endpoint(endpointType="iot:Data-ATS")["endpointAddress"] == (
        f"localhost:{thing.port}"
    )

    done = subprocess.run(
        ["mosquitto_pub", "-h", "localhost", "-p", str(thing.port), "-V", "mqttv5", "-q", "1",
         "--cafile", thing.ca, "--cert", thing.certificate, "--key", thing.key,
         "-i", thing.name, "-t", f"site/{thing.name}/mosquitto", "-m", "hello"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert [m["topic"] for m in thing.cloud.messages(f"site/{thing.name}")] == [
        f"site/{thing.name}/mosquitto"
    ]


def test_a_second_connection_with_the_same_name_takes_over(new_thing):
    thing = new_thing()
    first, second = Client(thing), Client(thing)
    first.open()

    second.open()

    assert first.left.get(timeout=20) == 0x8E
    assert second.publish(f"site/{thing.name}/a") == 0
    first.close()
    second.close()


def test_too_many_publishes_a_second_are_lost_in_silence(new_thing):
    thing = new_thing()
    thing.cloud.iot(settings={"publishes_per_s": 5})
    with Client(thing) as client:
        for number in range(8):
            client.paho.publish(f"site/{thing.name}/n", str(number), 1)
        kept = [client.acks.get(timeout=20) for _ in range(5)]

        with pytest.raises(queue.Empty):
            client.acks.get(timeout=1.0)
        assert [reason for _, reason in kept] == [0] * 5
        assert client.left.empty()
        (seen,) = [c for c in thing.cloud.iot()["connections"] if c["client_id"] == thing.name]
        assert seen["throttled"] == 3


def test_an_acknowledgement_can_be_withheld_though_the_message_arrived(new_thing):
    thing = new_thing()
    thing.cloud.iot(settings={"withhold_acks": 1})
    with Client(thing) as client:
        client.paho.publish(f"site/{thing.name}/lost-ack", b"1", 1)
        assert client.publish(f"site/{thing.name}/next", b"2") == 0

    assert len(thing.cloud.messages(f"site/{thing.name}/lost-ack")) == 1


@pytest.mark.parametrize(
    "topic", ["a/b/c/d/e/f/g/h/i", "x" * 257, "$made/up"], ids=["slashes", "bytes", "reserved"]
)
def test_a_topic_beyond_awss_limits_ends_the_connection(new_thing, topic):
    thing = new_thing([allow("iot:*", "*")])
    client = Client(thing)
    client.open()

    client.paho.publish(topic, b"x", 1)

    assert client.left.get(timeout=20) == 0x90
    client.close()


def test_a_payload_of_128_kb_passes_and_one_byte_more_ends_the_connection(new_thing):
    thing = new_thing()
    client = Client(thing)
    client.open()
    assert client.publish(f"site/{thing.name}/big", b"x" * 131_072) == 0

    client.paho.publish(f"site/{thing.name}/big", b"x" * 131_073, 1)

    assert client.left.get(timeout=20) == 0x95
    client.close()


def test_the_will_of_a_client_that_vanished_is_published(new_thing):
    thing, other = new_thing(), new_thing([allow("iot:*", "*")])
    client = Client(thing)
    client.paho.will_set(f"site/{thing.name}/gone", b"1", 1)
    with Client(other) as watcher:
        watcher.subscribe(f"site/{thing.name}/gone", "$aws/events/presence/disconnected/+")
        client.open()

        thing.cloud.iot(cut=thing.name)

        found = dict(watcher.message() for _ in range(2))
    assert found[f"site/{thing.name}/gone"] == 1
    assert found[f"$aws/events/presence/disconnected/{thing.name}"]["disconnectReason"] == (
        "CONNECTION_LOST"
    )
    client.close()


def test_what_the_api_publishes_reaches_a_subscriber(new_thing):
    thing = new_thing()
    with Client(thing) as client:
        client.subscribe(f"site/{thing.name}/commands")

        thing.cloud.client("iot-data").publish(
            topic=f"site/{thing.name}/commands", qos=1, payload=json.dumps({"do": "it"})
        )

        assert client.message() == (f"site/{thing.name}/commands", {"do": "it"})


def test_basic_ingest_reaches_its_rule_and_no_subscriber(new_thing):
    thing = new_thing()
    cloud = thing.cloud
    cloud.client("s3").create_bucket(Bucket=f"ingest-{thing.name}")
    trust = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}},
    }
    role = cloud.client("iam").create_role(
        RoleName=f"rule-{thing.name}", AssumeRolePolicyDocument=json.dumps(trust)
    )["Role"]["Arn"]
    put = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
    cloud.client("iam").put_role_policy(
        RoleName=f"rule-{thing.name}", PolicyName="p",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [put]}),
    )  # fmt: skip
    action = {"s3": {"bucketName": f"ingest-{thing.name}", "key": "${topic(2)}.json",
                     "roleArn": role}}  # fmt: skip
    cloud.client("iot").create_topic_rule(
        ruleName="fanfold_ingest",
        topicRulePayload={"sql": "SELECT * FROM 'x'", "actions": [action]},
    )
    with Client(thing) as client:
        assert client.publish(f"$aws/rules/fanfold_ingest/{thing.name}/results", {"n": 3}) == 0
        assert client.publish(f"$aws/rules/no_such_rule/{thing.name}/results", {"n": 4}) == 0

    body = cloud.client("s3").get_object(Bucket=f"ingest-{thing.name}", Key="results.json")["Body"]
    assert json.load(body) == {"n": 3}

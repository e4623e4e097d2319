"""AWS's own device SDKs against the development cloud: who wrote neither decides.

awsiotsdk (MQTT 5 by awscrt, with its clients for jobs and shadows) and AWSIoTPythonSDK
(MQTT 3.1.1, AWS's first one), doing what their samples do.
"""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from awscrt import mqtt5
from awscrt.mqtt_request_response import ClientOptions
from awsiot import ServiceStreamOptions, V2ServiceException, iotjobs, iotshadow
from awsiot.mqtt5_client_builder import mtls_from_path
from AWSIoTPythonSDK.MQTTLib import AWSIoTMQTTClient, AWSIoTMQTTShadowClient
from things import IOT

pytestmark = pytest.mark.xdist_group("devcloud")
TIMEOUT_S = 20.0
OPTIONS = ClientOptions(
    max_request_response_subscriptions=4, max_streaming_subscriptions=2,
    operation_timeout_in_seconds=20,
)  # fmt: skip


@contextmanager
def connected(thing) -> Iterator[tuple[mqtt5.Client, queue.Queue]]:
    """The builder's client with all its defaults but the port, and what it receives."""
    received: queue.Queue = queue.Queue()
    up: queue.Queue = queue.Queue()
    client = mtls_from_path(
        endpoint="localhost", port=thing.port, client_id=thing.name,
        cert_filepath=str(thing.certificate), pri_key_filepath=str(thing.key),
        ca_filepath=str(thing.ca),
        on_publish_received=lambda data: received.put(data.publish_packet),
        on_lifecycle_connection_success=lambda data: up.put(data.negotiated_settings),
        on_lifecycle_connection_failure=up.put,
    )  # fmt: skip
    client.start()
    try:
        settings = up.get(timeout=TIMEOUT_S)
        assert settings.maximum_qos == mqtt5.QoS.AT_LEAST_ONCE, settings
        yield client, received
    finally:
        client.stop()


def test_the_sdk_subscribes_publishes_and_receives(new_thing):
    thing = new_thing()
    topic = f"site/{thing.name}/sample"
    with connected(thing) as (client, received):
        granted = client.subscribe(
            mqtt5.SubscribePacket([mqtt5.Subscription(topic, mqtt5.QoS.AT_LEAST_ONCE)])
        ).result(TIMEOUT_S)
        acks = [
            client.publish(
                mqtt5.PublishPacket(topic=topic, payload=f"{n}", qos=mqtt5.QoS.AT_LEAST_ONCE)
            ).result(TIMEOUT_S)
            for n in range(10)
        ]
        heard = [received.get(timeout=TIMEOUT_S).payload for _ in range(10)]

    assert granted.reason_codes == [mqtt5.SubackReasonCode.GRANTED_QOS_1]
    assert {ack.puback.reason_code for ack in acks} == {mqtt5.PubackReasonCode.SUCCESS}
    assert heard == [str(n).encode() for n in range(10)]


def test_the_sdk_reads_the_refusal_of_a_filter(new_thing):
    with connected(new_thing()) as (client, _):
        refused = client.subscribe(
            mqtt5.SubscribePacket([mqtt5.Subscription("site/#", mqtt5.QoS.AT_LEAST_ONCE)])
        ).result(TIMEOUT_S)

    assert refused.reason_codes == [mqtt5.SubackReasonCode.NOT_AUTHORIZED]


def test_the_sdks_jobs_client_runs_a_job(new_thing):
    thing = new_thing()
    told: queue.Queue = queue.Queue()
    job_id = f"sdk-{thing.name}"
    with connected(thing) as (client, _):
        jobs = iotjobs.IotJobsClientV2(client, OPTIONS)
        stream = jobs.create_next_job_execution_changed_stream(
            iotjobs.NextJobExecutionChangedSubscriptionRequest(thing_name=thing.name),
            ServiceStreamOptions(
                incoming_event_listener=told.put,
                subscription_status_listener=told.put,
            ),
        )
        stream.open()
        told.get(timeout=TIMEOUT_S)  # the subscription stands
        thing.cloud.client("iot").create_job(
            jobId=job_id, targets=[f"{IOT}:thing/{thing.name}"], document=json.dumps({"do": 1})
        )
        event = told.get(timeout=TIMEOUT_S)
        pending = jobs.get_pending_job_executions(
            iotjobs.GetPendingJobExecutionsRequest(thing_name=thing.name)
        ).result(TIMEOUT_S)
        started = jobs.start_next_pending_job_execution(
            iotjobs.StartNextPendingJobExecutionRequest(thing_name=thing.name)
        ).result(TIMEOUT_S)
        jobs.update_job_execution(
            iotjobs.UpdateJobExecutionRequest(
                thing_name=thing.name, job_id=job_id, status=iotjobs.JobStatus.SUCCEEDED,
                expected_version=started.execution.version_number,
            )
        ).result(TIMEOUT_S)  # fmt: skip
        with pytest.raises(V2ServiceException) as refused:
            jobs.update_job_execution(
                iotjobs.UpdateJobExecutionRequest(
                    thing_name=thing.name, job_id=job_id, status=iotjobs.JobStatus.FAILED
                )
            ).result(TIMEOUT_S)

    assert event.execution.job_id == job_id
    assert [job.job_id for job in pending.queued_jobs] == [job_id]
    assert started.execution.job_document == {"do": 1}
    assert refused.value.modeled_error.code == iotjobs.RejectedErrorCode.TERMINAL_STATE_REACHED
    job = thing.cloud.client("iot").describe_job(jobId=job_id)["job"]
    assert job["status"] == "COMPLETED"


def test_the_sdks_shadow_client_updates_and_hears_the_delta(new_thing):
    thing = new_thing()
    told: queue.Queue = queue.Queue()
    with connected(thing) as (client, _):
        shadows = iotshadow.IotShadowClientV2(client, OPTIONS)
        stream = shadows.create_shadow_delta_updated_stream(
            iotshadow.ShadowDeltaUpdatedSubscriptionRequest(thing_name=thing.name),
            ServiceStreamOptions(
                incoming_event_listener=told.put, subscription_status_listener=told.put
            ),
        )
        stream.open()
        told.get(timeout=TIMEOUT_S)
        with pytest.raises(V2ServiceException) as missing:
            shadows.get_shadow(iotshadow.GetShadowRequest(thing_name=thing.name)).result(TIMEOUT_S)
        updated = shadows.update_shadow(
            iotshadow.UpdateShadowRequest(
                thing_name=thing.name,
                state=iotshadow.ShadowState(reported={"rate": 1}, desired={"rate": 2}),
            )
        ).result(TIMEOUT_S)
        delta = told.get(timeout=TIMEOUT_S)
        found = shadows.get_shadow(iotshadow.GetShadowRequest(thing_name=thing.name)).result(
            TIMEOUT_S
        )

    assert missing.value.modeled_error.code == 404
    assert updated.version == 1
    assert delta.state == {"rate": 2}
    assert found.state.delta == {"rate": 2}


def legacy(thing, kind=AWSIoTMQTTClient):
    client = kind(thing.name)
    client.configureEndpoint("localhost", thing.port)
    client.configureCredentials(str(thing.ca), str(thing.key), str(thing.certificate))
    client.configureConnectDisconnectTimeout(20)
    client.configureMQTTOperationTimeout(20)
    assert client.connect()
    return client


@pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS:DeprecationWarning")
def test_awss_first_sdk_over_mqtt_311_subscribes_and_publishes(new_thing):
    thing = new_thing()
    topic, received = f"site/{thing.name}/legacy", queue.Queue()
    client = legacy(thing)
    client.subscribe(topic, 1, lambda _c, _u, message: received.put(message.payload))

    client.publish(topic, "hello", 1)

    assert received.get(timeout=TIMEOUT_S) == b"hello"
    client.disconnect()


@pytest.mark.filterwarnings("ignore:ssl.PROTOCOL_TLS:DeprecationWarning")
def test_awss_first_sdk_keeps_a_shadow(new_thing):
    thing = new_thing()
    answers: queue.Queue = queue.Queue()
    client = legacy(thing, AWSIoTMQTTShadowClient)
    shadow = client.createShadowHandlerWithName(thing.name, True)

    shadow.shadowUpdate(
        json.dumps({"state": {"reported": {"n": 1}}}), lambda *said: answers.put(said), 20
    )
    _, status, _ = answers.get(timeout=TIMEOUT_S)
    shadow.shadowGet(lambda *said: answers.put(said), 20)
    payload, got, _ = answers.get(timeout=TIMEOUT_S)

    assert (status, got) == ("accepted", "accepted")
    assert json.loads(payload)["state"] == {"reported": {"n": 1}}
    client.disconnect()

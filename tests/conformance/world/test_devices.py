"""Devices of a foreign group: certificates, shadows, messages of the cloud (paho as the client)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from checkout import PROJECT
from core_site import ACCOUNT, Site, arn_of
from verbs import run_verb
from waiting import eventually

P = f"arn:aws:iot:us-east-1:{ACCOUNT}:"
SHADOW = "GGShadowService"
PRINTS = """def handler(event, context):
    print("GOT", event, context.client_context.custom["subject"], flush=True)
"""


def thing(name: str) -> str:
    return f"{P}thing/{name}"


def device(site: Site, name: str, fingerprint: str = "0" * 64, **more: Any) -> str:
    arn = thing(name)
    certificate = f"{P}cert/{fingerprint}"
    site.document["Devices"].append(
        {"Id": name, "ThingArn": arn, "CertificateArn": certificate, **more}
    )
    return arn


@contextlib.contextmanager
def client(
    site: Site, name: str, *filters: str, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[mqtt.Client, queue.Queue]]:
    """A paho client and what came to it, once every filter is granted."""
    port = json.loads((site.state / "core.json").read_text())["ports"]
    arrived: queue.Queue = queue.Queue()
    granted: queue.Queue = queue.Queue()
    made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name)
    made.on_message = lambda _c, _u, m: arrived.put((m.topic, json.loads(m.payload)))
    made.on_subscribe = lambda _c, _u, _m, codes, _p: granted.put(codes)
    made.on_connect = lambda *_: granted.put("connected")
    if tls is not None:
        made.tls_set_context(tls)
    made.connect("127.0.0.1", port["mqtt" if tls else "mqtt_plain"])
    made.loop_start()
    try:
        assert granted.get(timeout=20) == "connected"
        for each in filters:
            made.subscribe(each)
            assert not granted.get(timeout=20)[0].is_failure
        yield made, arrived
    finally:
        made.disconnect()
        made.loop_stop()


def _connect_shadow(site: Site, source: str, name: str) -> None:
    subject = f"$aws/things/{name}/shadow/"
    for verb in ("get", "update", "delete"):
        site.connect(source, f"{subject}{verb}", SHADOW)
    site.connect(SHADOW, f"{subject}#", source)


def test_the_shadow_of_another_thing_is_reached_where_a_subscription_allows_it(site: Site) -> None:
    switch = device(site, "switch")
    device(site, "light")
    _connect_shadow(site, switch, "light")
    site.start("--mqtt-plain-port", "0")
    with client(site, "switch", "$aws/things/+/shadow/#") as (made, arrived):
        # Nobody allowed this one, so nothing answers; the connection lives on.
        made.publish("$aws/things/other/shadow/update", '{"state":{"desired":{"on":2}}}', 1)
        made.publish(
            "$aws/things/light/shadow/update",
            '{"state":{"desired":{"on":1}},"clientToken":"t1"}',
            1,
        )
        topics = {}
        for _ in range(3):
            topic, body = arrived.get(timeout=20)
            topics[topic.rpartition("/")[2]] = body
        assert set(topics) == {"accepted", "delta", "documents"}
        assert all(body["clientToken"] == "t1" for body in topics.values())
        assert "timestamp" in topics["delta"]["metadata"]["on"]
        assert topics["documents"]["current"]["state"] == {"desired": {"on": 1}}


@pytest.mark.parametrize(
    ("verb", "end", "code"),
    [("get", "rejected", 404), ("delete", "rejected", 404), ("update", "rejected", 400)],
)
def test_a_refusal_echoes_the_client_token(site: Site, verb: str, end: str, code: int) -> None:
    _connect_shadow(site, device(site, "cam"), "cam")
    site.start("--mqtt-plain-port", "0")
    with client(site, "cam", f"$aws/things/cam/shadow/{verb}/{end}") as (made, arrived):
        made.publish(f"$aws/things/cam/shadow/{verb}", '{"clientToken":"t2","state":7}', 1)
        body = arrived.get(timeout=20)[1]
    assert (body["code"], body["clientToken"]) == (code, "t2")


def _certificate(folder: Path, name: str) -> str:
    """Writes NAME.crt and NAME.key; the SHA-256 of the certificate."""
    folder.mkdir(parents=True, exist_ok=True)
    subject = f"/CN=not the thing {name}"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", subject]
    subprocess.run([*command, "-days", "30"], check=True, capture_output=True, cwd=folder)
    der = ssl.PEM_cert_to_DER_cert((folder / f"{name}.crt").read_text())
    return hashlib.sha256(der).hexdigest()


def test_a_device_connects_with_the_certificate_whose_sha256_is_its_cert_arn(site: Site) -> None:
    folder = site.folder / "certificates" / "line3"
    dev = device(site, "dev", _certificate(folder, "any-name").upper())
    device(site, "lost")
    site.connect(dev, "a/#", "cloud")
    site.start("--mqtt-port", "0", "--device-certificates", str(folder.parent))
    tls = ssl.create_default_context(cafile=str(site.state / "ca" / "group-ca.pem"))
    tls.load_cert_chain(folder / "any-name.crt", folder / "any-name.key")
    with client(site, "dev", tls=tls) as (made, _):
        made.publish("a/b", '{"n":1}', 1).wait_for_publish(20)
    eventually(site.cloud, "the device's message is on its way to the cloud")
    assert [f for f in site.status()["findings"] if "lost" in f and "--device-certificates" in f]


def test_a_device_of_an_on_device_group_json_connects_over_tls(site: Site) -> None:
    """The file names certificates only; its core finds them in a folder."""
    folder = site.folder / "certificates"
    fingerprint = _certificate(folder, "dev")
    things = [{"thingArn": thing(n), "certArn": f"{P}cert/{fingerprint}"} for n in ("core", "dev")]
    route = {"Id": "1", "Source": thing("dev"), "Subject": "a/#", "Target": "cloud"}
    site.document = {
        "Region": "us-east-1",
        "Cores": things[:1],
        "Devices": things[1:],
        "GroupDefinitions": {"Lambdas": {"Content": []}, "Subscriptions": {"Content": [route]}},
    }
    site.start("--mqtt-port", "0", "--device-certificates", str(folder))
    tls = ssl.create_default_context(cafile=str(site.state / "ca" / "group-ca.pem"))
    tls.load_cert_chain(folder / "dev.crt", folder / "dev.key")
    with client(site, "dev", tls=tls) as (made, _):
        made.publish("a/b", '{"n":1}', 1).wait_for_publish(20)
    eventually(site.cloud, "the device's message is on its way to the cloud")


def test_publish_as_the_cloud_reaches_functions_and_devices(site: Site) -> None:
    dev = device(site, "dev", SyncShadow=True)
    site.function("f", PRINTS)
    for target in ("f", dev):
        site.connect("cloud", "cmd/#", target)
    site.start("--mqtt-plain-port", "0")
    findings = "\n".join(site.status()["findings"])
    assert "fanfold publish --as cloud" in findings
    assert "SyncShadow of dev" in findings
    eventually(lambda: site.of("f")["state"] == "running", "the function waits for work")
    command = ("publish", "cmd/go", '{"n": 3}', "--as", "cloud", "--state", str(site.state))
    with client(site, "dev", "cmd/#") as (_, arrived):
        done = run_verb(*command, cwd=PROJECT, env=os.environ)
        assert done.returncode == 0, done.stderr
        assert arrived.get(timeout=20) == ("cmd/go", {"n": 3})
    eventually(lambda: "GOT {'n': 3} cmd/go" in site.log("f"), "the function got it")


def test_all_that_is_left_out_is_a_finding(site: Site) -> None:
    prefix = "arn:aws:lambda:::function:"
    site.function("f", PRINTS, variables={})
    for name in ("GGIPDetector", "GGStreamManager"):
        entry = {"Id": name, "FunctionArn": f"{prefix}{name}:1", "FunctionConfiguration": {}}
        site.document["Functions"].append(entry)
    quality = {"Variables": {"GG_CONFIG_SUBSCRIPTION_QUALITY": "AtLeastOncePersistent"}}
    spooler = {"Id": "spool", "FunctionArn": f"{prefix}GGCloudSpooler:1"}
    spooler["FunctionConfiguration"] = {"Environment": quality}
    site.document["Functions"].append(spooler)
    site.connect("cloud", "cmd/#", "f")
    arn = "arn:aws:greengrass:us-east-1::/connectors/RaspberryPiGPIO/versions/3"
    site.document["Connectors"] = [{"Id": "k", "ConnectorArn": arn, "Parameters": {}}]
    secret = {"SecretsManagerSecretResourceData": {"ARN": "arn:aws:secretsmanager:::secret:s"}}
    site.document["Resources"] = [{"Id": "s", "Name": "s", "ResourceDataContainer": secret}]
    site.document["Loggers"] = [{"Id": "1", "Component": "Lambda", "Type": "AWSCloudWatch"}]
    site.start()
    findings = "\n".join(site.status()["findings"])
    for words in (
        "GGIPDetector", "GGStreamManager", "AtLeastOncePersistent",
        "RaspberryPiGPIO", "secret s: has no value", "CloudWatch",
    ):  # fmt: skip
        assert words in findings, words


def test_a_large_payload_and_a_secret_raise_what_the_sdk_raises(site: Site) -> None:
    source = f"""import greengrasssdk, base64
from greengrasssdk.Lambda import InvocationException
from greengrasssdk.SecretsManager import SecretsManagerError
try:
    greengrasssdk.client("iot-data").publish(topic="a", payload=b"x" * 131073)
except InvocationException as error:
    print("LARGE", error, flush=True)
try:
    greengrasssdk.client("secretsmanager").get_secret_value(SecretId="s")
except SecretsManagerError as error:
    print("SECRET", error, flush=True)
def handler(event, context):
    print("CUSTOM", context.client_context.custom, flush=True)
for text in (b'{{"custom":"text"}}', b'{{"custom":[1]}}', b'"text"', b'{{"client":1}}'):
    greengrasssdk.client("lambda").invoke(FunctionName={arn_of("b")!r}, Payload=b"raw",
        ClientContext=base64.b64encode(text))
"""
    site.function("a", source)
    body = 'def handler(event, context):\n    print("CUSTOM", context.client_context.custom)\n'
    site.function("b", body, EncodingType="binary")
    site.start()
    eventually(lambda: site.log("b").count("CUSTOM") == 4, "four contexts arrived")
    assert "LARGE" in site.log("a")
    assert "SECRET" in site.log("a")
    assert site.log("b").splitlines()[:2] == ["CUSTOM text", "CUSTOM [1]"]

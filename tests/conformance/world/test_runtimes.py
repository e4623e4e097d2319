"""What can start starts; the rest is a finding and a card (feature rows: runtimes)."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from core_site import Site, arn_of
from waiting import eventually
from world_groups import ECHO_2_OR_3, python_of

EXECUTABLE = "arn:aws:greengrass:::runtime/function/executable"
ANSWERS = """import os, sys
print("started on %d" % sys.version_info[0])
def handler(event, context):
    return
"""


def _runtime(site: Site, name: str, runtime: str) -> dict[str, Any]:
    entry = site.document["Lambdas"][arn_of(name)]
    entry["Runtime"] = runtime
    return entry


def test_one_function_that_cannot_start_stops_no_other(site: Site) -> None:
    site.function("good", ANSWERS)
    site.function("java", ANSWERS)
    _runtime(site, "java", "java8")
    site.function("old", ANSWERS, Pinned=False)
    _runtime(site, "old", "python2.7")
    site.start()
    eventually(lambda: site.of("good")["state"] == "running", "the Python function runs")
    for name, remedy in (("java", "port the function"), ("old", "--python python2.7=PATH")):
        card = site.of(name)
        assert (card["state"], card["startable"]) == ("stopped", False)
        assert remedy in card["last_error"]
        assert any(f"function {name} " in text for text in site.status()["findings"])
    reasons = site.status()["verdict"]["reasons"]
    cannot = {each["subject"] for each in reasons if each["code"] == "function_cannot_start"}
    assert cannot == {"function java", "function old"}, "also the one that nobody has called yet"


def test_a_function_without_its_code_stops_no_other(site: Site) -> None:
    site.function("good", ANSWERS)
    site.function("lost", ANSWERS)
    site.document["Lambdas"][arn_of("lost")]["Code"] = "nowhere"
    site.start()
    eventually(lambda: site.of("good")["state"] == "running", "the other runs")
    assert "does not exist" in site.of("lost")["last_error"]


def test_a_model_that_is_not_there_stops_only_who_is_given_it(site: Site) -> None:
    site.function("good", ANSWERS)
    site.function("infers", ANSWERS)
    for number, uri in enumerate(("file:///nowhere/model.zip", "s3://", "file:///nowhere/b.zip")):
        data = {"S3Uri": uri, "DestinationPath": f"/m{number}"}
        container = {"S3MachineLearningModelResourceData": data}
        site.document["Resources"].append(
            {"Id": f"m{number}", "Name": "m", "ResourceDataContainer": container}
        )
    environment = site.document["Functions"][1]["FunctionConfiguration"]["Environment"]
    environment["ResourceAccessPolicies"] = [{"ResourceId": "m0"}, {"ResourceId": "m1"}]
    site.start()
    eventually(lambda: site.of("good")["state"] == "running", "the other runs")
    assert site.of("infers")["startable"] is False
    assert "model 'm0': no file /nowhere/model.zip" in site.of("infers")["last_error"]
    findings = site.status()["findings"]
    assert any("function infers cannot be started: model 'm0'" in text for text in findings)
    assert any("model 'm2': no file /nowhere/b.zip" in text for text in findings)


def test_a_group_of_which_no_function_can_start_without_its_model_is_refused(site: Site) -> None:
    site.function("infers", ANSWERS)
    data = {"S3Uri": "file:///nowhere/model.zip", "DestinationPath": "/m"}
    container = {"S3MachineLearningModelResourceData": data}
    site.document["Resources"] = [{"Id": "m", "Name": "m", "ResourceDataContainer": container}]
    environment = site.document["Functions"][0]["FunctionConfiguration"]["Environment"]
    environment["ResourceAccessPolicies"] = [{"ResourceId": "m"}]
    with pytest.raises(pytest.fail.Exception, match=r"no file /nowhere/model\.zip"):
        site.start()


def test_messages_for_a_function_that_cannot_start_take_no_room_from_the_others(
    site: Site,
) -> None:
    caller = f"""import greengrasssdk
client = greengrasssdk.client("iot-data")
for number in range(1500):
    client.publish(topic="go", payload="x")
try:
    print("ANSWER", greengrasssdk.client("lambda").invoke(
        FunctionName={arn_of("java")!r}, Payload=b"x"))
except Exception as error:
    print("ERROR", error)
def handler(event, context):
    return
"""
    site.function("java", ANSWERS)
    _runtime(site, "java", "java8")
    site.function("caller", caller)
    site.connect("caller", "go", "java")
    site.start()
    eventually(lambda: site.of("caller")["state"] == "running", "the caller is done")
    assert site.status()["router"]["work_items"] == 0
    assert "cannot be started" in site.log("caller")


def test_executable_is_ignored_on_a_python_function(site: Site) -> None:
    site.function("f", ANSWERS, Executable="main.handler", ExecArgs="-v")
    site.start()
    eventually(lambda: site.of("f")["state"] == "running", "it runs by its handler")


@pytest.mark.parametrize("named", ["Handler", "Executable"])
def test_an_executable_function_is_started_by_its_file(site: Site, named: str) -> None:
    configuration = {"Executable": "bin/hello", "ExecArgs": "one 'two three'"}
    if named == "Handler":
        configuration = {}
    site.function("c", "", EncodingType="binary", **configuration)
    entry = _runtime(site, "c", EXECUTABLE)
    entry["Handler"] = "bin/hello" if named == "Handler" else "none"
    program = site.folder / "code" / "c" / "bin" / "hello"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "I am $MY_FUNCTION_ARN in $# $2"\nexec sleep 1000\n')
    program.chmod(0o755)
    site.start("--function-user", "root")
    expected = "in 0" if named == "Handler" else "in 2 two three"
    eventually(lambda: expected in site.log("c"), "the program ran")
    assert site.of("c")["pid"]
    assert site.status()["findings"] == []


def test_an_executable_without_its_bit_or_file_says_so(site: Site) -> None:
    for name in ("nobit", "nofile"):
        site.function(name, "", EncodingType="binary")
        _runtime(site, name, EXECUTABLE)["Handler"] = "hello"
    (site.folder / "code" / "nobit" / "hello").write_text("#!/bin/sh\n")
    site.start()
    assert "chmod +x" in site.of("nobit")["last_error"]
    assert "is not in its code" in site.of("nofile")["last_error"]


@pytest.mark.parametrize("version", ["2.7", "3.7", "3.12"])
def test_a_python_function_runs_on_the_version_it_names(site: Site, version: str) -> None:
    python = python_of(version)
    for name in ("a", "b"):
        site.function(name, ECHO_2_OR_3, variables={"OTHER": arn_of("b")})
        _runtime(site, name, f"python{version}")
    site.connect("a", "out/#", "cloud")
    site.start("--python", f"python{version}={python}")
    eventually(site.cloud, "what the called function answered went to the cloud")
    answer = base64.b64decode(site.cloud()[0]["payload_base64"])
    assert answer == f"Python {version} asked".encode()


def test_an_interpreter_of_another_major_version_is_refused(site: Site) -> None:
    site.function("f", "print 'two'\n")
    _runtime(site, "f", "python2.7")
    site.function("g", ANSWERS)
    site.start("--python", f"python2.7={python_of('3.11')}")
    assert "major version" in site.of("f")["last_error"]


def test_a_device_file_that_this_machine_lacks_is_named(site: Site) -> None:
    site.function("f", "def handler(event, context):\n    pass\n", isolation="GreengrassContainer")
    environment = site.document["Functions"][0]["FunctionConfiguration"]["Environment"]
    environment["ResourceAccessPolicies"] = [{"ResourceId": "gpio", "Permission": "rw"}]
    data = {"LocalDeviceResourceData": {"SourcePath": "/dev/no-such-gpio"}}
    site.document["Resources"] = [{"Id": "gpio", "Name": "GPIO", "ResourceDataContainer": data}]
    site.start()
    eventually(lambda: site.of("f")["last_error"], "the function says why it does not start")
    assert "device 'GPIO': /dev/no-such-gpio is not on this machine" in site.of("f")["last_error"]

"""`fanfold run`'s options, as the core itself reads them."""

from pathlib import Path
from typing import Any

from edgecore.__main__ import parser
from fanfold.localcore.arguments import CoreOptions
from fanfold.localcore.listening import Listen

GIVEN: dict[str, Any] = {
    "source": "greengrass:line-3", "state": Path("/s"), "site": "line-3", "mqtt_plain_port": 1,
    "mqtt_port": "2", "ipc_port": 3, "http_port": 4, "isolation": "none",
    "function_user": "ggc_user:ggc_group", "insecure_core_user": True, "poll_s": 0.5,
    "doctor": True, "read_only": True, "listen": Listen(listen="0.0.0.0:8443"),
    "fault_plan": Path("/plan.json"), "pythons": {"python2.7": "/usr/bin/python2.7"},
    "device_certificates": "aws-iot", "secrets": Path("/secrets.json"),
}  # fmt: skip


def test_the_core_reads_back_every_option_that_was_given() -> None:
    read = vars(parser().parse_args(CoreOptions(**GIVEN).command()[3:]))
    same = {
        "group": "greengrass:line-3", "mqtt_plain_port": 1, "ipc_port": 3, "http_port": 4,
        "isolation": "none", "function_user": "ggc_user:ggc_group", "insecure_core_user": True,
        "poll_s": 0.5, "read_only": True, "device_certificates": "aws-iot",
    }  # fmt: skip
    assert {name: read[name] for name in same} == same
    assert (read["mqtt_port"], Path(read["state"]), Path(read["fault_plan"])) == (
        2, Path("/s"), Path("/plan.json"),
    )  # fmt: skip
    assert "line-3" in read["doctor"]
    assert dict(read["python"]) == {"python2.7": "/usr/bin/python2.7"}


def test_what_was_not_asked_for_is_left_to_the_core() -> None:
    plain = GIVEN | {
        "insecure_core_user": False, "doctor": False, "read_only": False, "listen": Listen(),
        "fault_plan": None, "pythons": {}, "device_certificates": None, "secrets": None,
    }  # fmt: skip
    said = {word for word in CoreOptions(**plain).command()[3:] if word.startswith("--")}
    assert said == {
        "--group", "--state", "--mqtt-plain-port", "--mqtt-port", "--ipc-port", "--http-port",
        "--isolation", "--poll-s", "--function-user",
    }  # fmt: skip

"""Real functions under the real SDK on the device's interpreter."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from every import every
from waiting import eventually

from edgecore.supervisor.isolation import bubblewrap

SDK = """
import json, os, sys, threading, time
import greengrasssdk
iot = greengrasssdk.client("iot-data")
def up(**facts):
    iot.publish(topic="up", payload=json.dumps(facts))
"""


def ups(site: Any) -> list[dict[str, Any]]:
    return [record["payload"] for record in site.cloud()]


def wait_up(site: Any, count: int) -> list[dict[str, Any]]:
    return eventually(lambda: ups(site) if len(ups(site)) >= count else None, f"{count} records")


def test_two_pinned_functions_talk_in_order_through_the_published_sdk(site) -> None:
    talk = 'def go():\n    for n in range(50): iot.publish(topic="ping/x", payload="%d" % n)\n'
    site.function("a", SDK + talk + "threading.Timer(0.2, go).start()\ndef handler(e, c): pass\n")
    hear = 'def handler(e, c): up(n=e, topic=c.client_context.custom["subject"])\n'
    site.function("b", SDK + hear)
    site.connect("a", "ping/+", "b")
    site.connect("b", "up", "cloud")
    site.start()
    records = wait_up(site, 50)
    assert [r["n"] for r in records] == list(range(50))
    assert {r["topic"] for r in records} == {"ping/x"}
    assert site.stop() == 0


def test_a_function_may_speak_the_protocol_with_nothing_but_urllib(site) -> None:
    own_client = """
import base64, json, os, threading, urllib.request
arn, token = os.environ["MY_FUNCTION_ARN"], os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
root = "http://localhost:%s/2016-11-01/functions/" % os.environ["GG_DAEMON_PORT"]
def call(path, data=None, headers={}):
    request = urllib.request.Request(root + path, data, dict(headers, Authorization=token))
    return urllib.request.urlopen(request)
work = call(arn + "/work")
context = {"custom": {"source": arn, "subject": "up"}}
head = {"X-Amz-Client-Context": base64.b64encode(json.dumps(context).encode()).decode(),
        "X-Amz-Invocation-Type": "Event"}
call(os.environ["ROUTER_FUNCTION_ARN"], work.read(), head)
call(arn + "/work", b"done", {"X-Amz-InvocationId": work.headers["X-Amz-InvocationId"]})
threading.Event().wait()
"""
    site.function("raw", own_client)
    start = 'threading.Timer(0.2, lambda: iot.publish(topic="go", payload=b\'{"x":1}\')).start()\n'
    site.function("a", SDK + start + "def handler(e, c): pass\n")
    site.connect("a", "go", "raw")
    site.connect("raw", "up", "cloud")
    site.start()
    assert wait_up(site, 1) == [{"x": 1}]


def test_invoke_returns_the_answer_or_the_handled_error(site) -> None:
    site.function("double", "def handler(e, c): return {'twice': 2 * e['n']}\n", Pinned=False)
    site.function(
        "caller",
        SDK
        + """
import urllib.request
DOUBLE = "arn:aws:lambda:us-east-1:123456789012:function:double:live"
def double_waits():
    url = "http://localhost:%s/2016-11-01/health/workers" % os.environ["GG_DAEMON_PORT"]
    head = {"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]}
    workers = json.load(urllib.request.urlopen(urllib.request.Request(url, headers=head)))
    return any(w["FuncArn"] == DOUBLE and w["WorkerState"] == "Waiting" for w in workers)
def go():
    lam = greengrasssdk.client("lambda")
    for body in (b'{"n": 21}', b'{}'):
        said = lam.invoke(FunctionName=DOUBLE, Payload=body)
        text = said["Payload"] if said["FunctionError"] else said["Payload"].read()
        up(error=said["FunctionError"], body=json.loads(text))
        while not double_waits():  # the answer comes before its process asks for more
            time.sleep(0.05)
threading.Timer(0.2, go).start()
def handler(e, c): pass
""",
    )
    site.connect("caller", "up", "cloud")
    site.start()
    good, bad = wait_up(site, 2)
    assert good == {"error": "", "body": {"twice": 42}}
    assert bad["error"] == "Handled"
    assert bad["body"]["errorType"] == "KeyError"
    assert site.of("double")["workers"] == 1, "the second invocation reused the first's process"


def test_a_handler_that_raises_answers_and_goes_on(site) -> None:
    site.function(
        "a",
        SDK
        + """
def go():
    for n in range(3): iot.publish(topic="in", payload=str(n))
threading.Timer(0.2, go).start()
def handler(e, c):
    up(n=e, pid=os.getpid())
    if e == 1: raise RuntimeError("boom")
""",
    )
    site.connect("a", "in", "a")
    site.connect("a", "up", "cloud")
    site.start()
    records = wait_up(site, 3)
    assert len({r["pid"] for r in records}) == 1
    assert eventually(lambda: site.of("a")["errors"] == 1, "one error counted")
    assert "RuntimeError: boom" in site.log("a")


STICKY = (
    SDK
    + """
up(started=os.getpid())
def handler(e, c): time.sleep(3600)
"""
)


def test_a_handler_beyond_its_timeout_is_killed_and_the_function_restarted(site) -> None:
    talk = 'threading.Timer(0.5, lambda: iot.publish(topic="in", payload="1")).start()\n'
    site.function("slow", STICKY, Timeout=1)
    site.function("a", SDK + talk + "def handler(e, c): pass\n")
    site.connect("a", "in", "slow")
    site.connect("slow", "up", "cloud")
    site.start()
    first, second = wait_up(site, 2)[:2]
    assert first["started"] != second["started"]
    assert site.of("slow")["last_error"] == "handler timed out after 1 s"
    assert "ungracefully killed" in site.log("slow")


def test_a_restart_that_an_operator_asked_for_is_not_given_an_older_reason(site) -> None:
    site.function("a", SDK + "up(started=os.getpid())\ndef handler(e, c): pass\n")
    site.connect("a", "up", "cloud")
    site.start()
    os.kill(wait_up(site, 1)[0]["started"], signal.SIGKILL)
    wait_up(site, 2)
    assert site.of("a")["last_error"]

    facts = json.loads((site.state / "core.json").read_text())
    url = f"http://127.0.0.1:{facts['ports']['http']}/api/actions/restart"
    headers = {"X-Fanfold-Token": facts["token"], "Content-Type": "application/json"}
    asked = urllib.request.Request(url, b'{"function": "a"}', headers)
    urllib.request.urlopen(asked, timeout=60).close()
    wait_up(site, 3)

    assert site.of("a")["last_error"] is None


def test_a_stopped_process_with_work_is_found_killed_and_replaced(site) -> None:
    source = SDK + "up(started=os.getpid())\ndef handler(e, c): pass\n"
    site.function("frozen", source, Timeout=1)
    tick = 'def go():\n    while True:\n        iot.publish(topic="in", payload="1")\n'
    tick += "        time.sleep(0.1)\n"
    start = "threading.Thread(target=go, daemon=True).start()\ndef handler(e, c): pass\n"
    site.function("a", SDK + tick + start)
    site.connect("a", "in", "frozen")
    site.connect("frozen", "up", "cloud")
    site.start()
    first = wait_up(site, 1)[0]["started"]
    os.kill(first, signal.SIGSTOP)
    second = wait_up(site, 2)[1]["started"]
    assert second != first
    assert eventually(lambda: site.of("frozen")["state"] == "running", "running again")


def test_a_function_that_keeps_dying_is_called_a_crash_loop_and_says_why(site) -> None:
    site.function("bad", "import nonsense_that_is_not_there\n")
    site.start()
    eventually(lambda: site.of("bad")["state"] == "crash_loop", "crash loop")
    status = site.of("bad")
    assert status["last_error"] == "exited with status 1"
    assert 'Failed to import handler function "main.handler"' in site.log("bad")


def test_parallel_invocations_of_an_on_demand_function_get_processes_of_their_own(site) -> None:
    site.function(
        "od",
        SDK + "def handler(e, c):\n    up(pid=os.getpid())\n    time.sleep(1.5)\n",
        Pinned=False,
        Timeout=10,
    )
    talk = 'def go():\n    for n in range(3): iot.publish(topic="in", payload="1")\n'
    site.function("a", SDK + talk + "threading.Timer(0.2, go).start()\ndef handler(e, c): pass\n")
    site.connect("a", "in", "od")
    site.connect("od", "up", "cloud")
    site.start()
    assert len({r["pid"] for r in wait_up(site, 3)}) >= 2


def test_nothing_outlives_a_core_that_is_killed(site) -> None:
    from core_site import alive

    source = SDK + "import subprocess\nchild = subprocess.Popen(['sleep', '3600'])\n"
    source += "up(pids=[os.getpid(), child.pid])\ndef handler(e, c): pass\n"
    site.function("parent", source)
    site.connect("parent", "up", "cloud")
    site.start()
    pids = wait_up(site, 1)[0]["pids"]
    assert every(alive(pid) for pid in pids)
    site.process.kill()
    site.process.wait()
    eventually(lambda: not any(alive(pid) for pid in pids), "function and its child gone")


@pytest.mark.skipif(bubblewrap() is None, reason="bubblewrap does not work on this machine")
def test_a_container_sees_its_code_at_lambda_and_cannot_write_the_host(site) -> None:
    source = """
def denied():
    try:
        open("/etc/fanfold-test", "w")
    except OSError:
        return True
up(cwd=os.getcwd(), pid=os.getpid(), denied=denied(), prefix=os.environ["AWS_GG_RESOURCE_PREFIX"])
def handler(e, c): pass
"""
    site.function("boxed", SDK + source, isolation="GreengrassContainer", MemorySize=400000)
    site.connect("boxed", "up", "cloud")
    site.start()
    record = wait_up(site, 1)[0]
    assert record["cwd"] == "/lambda"
    assert record["denied"] is True
    assert record["prefix"] == "/"
    assert record["pid"] < 100, "a pid namespace of its own"


@pytest.mark.skipif(bubblewrap() is None, reason="bubblewrap does not work on this machine")
def test_a_function_in_a_container_is_given_the_time_to_tidy_up(site) -> None:
    source = """
import signal, time
def leave(*_):
    time.sleep(0.3)
    print("tidied up", flush=True)
    os._exit(0)
signal.signal(signal.SIGTERM, leave)
up(pid=os.getpid())
def handler(e, c): pass
"""
    site.function("boxed", SDK + source, isolation="GreengrassContainer", MemorySize=400000)
    site.connect("boxed", "up", "cloud")
    site.start()
    wait_up(site, 1)

    site.stop()

    assert "tidied up" in (site.state / "logs" / "boxed.log").read_text()


def test_memory_beyond_the_limit_is_an_end_with_a_reason(site) -> None:
    source = "blob = bytearray(200 * 1024 * 1024)\nblob[::4096] = b'x' * (len(blob) // 4096)\n"
    source += "def handler(e, c): pass\n"
    site.function("fat", source, isolation="GreengrassContainer", MemorySize=65536)
    site.start("--isolation", "none")
    eventually(lambda: "memory:" in (site.of("fat")["last_error"] or ""), "memory limit")
    assert "limit 65536 KB" in site.of("fat")["last_error"]
    assert any("is declared with a container" in text for text in site.status()["findings"])


def test_files_that_are_mapped_are_no_memory_that_a_limit_is_for(site, tmp_path: Path) -> None:
    """V1's limit was a cgroup's, which gives their pages back; Node.js is one such file."""
    with (tmp_path / "mapped").open("wb") as mapped:
        mapped.truncate(200 << 20)
    source = f"""import mmap
mapped = open({str(tmp_path / "mapped")!r}, "rb")
pages = mmap.mmap(mapped.fileno(), 0, access=mmap.ACCESS_READ)
touched = sum(pages[::4096])
def handler(e, c): pass
"""
    site.function("maps", source, isolation="GreengrassContainer", MemorySize=65536)
    site.start("--isolation", "none")
    eventually(lambda: site.of("maps")["rss_kb"] > 200_000, "the pages are there and measured")
    assert (site.of("maps")["state"], site.of("maps")["restarts"]) == ("running", 0)


def test_a_second_core_in_the_same_folder_is_refused_with_exit_3(site) -> None:
    import subprocess

    site.function("a", "def handler(e, c): pass\n")
    site.start()
    again = subprocess.run(
        site.process.args, capture_output=True, text=True, timeout=60, check=False
    )
    assert again.returncode == 3
    assert "another core uses it" in again.stderr
    assert "Traceback" not in again.stderr

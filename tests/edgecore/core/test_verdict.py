"""Situation → verdict; test_verdict_is_real.py names the test that brings a core to each."""

from __future__ import annotations

import re
from typing import Any

import pytest
from checkout import PROJECT
from every import every
from hypothesis import given
from hypothesis import strategies as st
from site_status import DAY_S, WELL, function, status_with, worker

from contract.messages import REJECTED_REASONS
from edgecore.alerts.judge import Evidence
from edgecore.alerts.judge import judge as alerted
from edgecore.alerts.rules import Rule
from edgecore.alerts.windows import Windows
from edgecore.core.reports import HEARTBEAT_LIMIT_S, STATS_LIMIT_S
from edgecore.core.verdict import judge
from edgecore.core.verdict.images import WHY_REFUSED
from edgecore.daemon.health_report import report
from edgecore.web.dashboard.page_model import PageModel
from edgecore.web.dashboard.ports import SiteView
from edgecore.web.metrics.families import families

OK, DEGRADED, DOWN = "ok", "degraded", "down"
READY, BLOCKED = True, False
REFUSED = {"deployment": "d2", "reason": "function w0: no model"}
ROLLED_BACK = [
    {"deployment": "d1", "outcome": "applied"},
    {"deployment": "d2", "outcome": "applied"},
    {"deployment": "d2", "outcome": "rolled back"},
]


def functions(**states: str) -> list[dict[str, Any]]:
    names = ("splitter", "aggregator", "w0", "w1")
    return [function(name, states.get(name, "running")) for name in names]


def workers(**states: str) -> dict[str, Any]:
    return {name: worker(states.get(name, "ready")) for name in ("w0", "w1")}


def refused_images(reason: str, since_s: float = 5.0) -> list[dict[str, Any]]:
    return [{"camera": "left", "reason": reason, "count": 7, "since_s": since_s}]


def refused_client(who: str, since_s: float = 5.0) -> list[dict[str, Any]]:
    return [{"who": who, "reason": "is not a thing of this group", "count": 3, "since_s": since_s}]


LINK = {"connected": True, "message": None, "taken_over": 0}

SITUATIONS: list[tuple[str, dict[str, Any], str, bool, str]] = [
    ("all is well", {}, OK, READY, ""),
    ("a group of somebody else", {"stats": {}, "silence_s": {}, "functions": [function("f")]},
     OK, READY, ""),
    ("one of somebody else's functions died", {"stats": {}, "silence_s": {},
     "functions": [function("f", "backoff"), function("g")]}, DOWN, BLOCKED, "function_backoff"),
    ("an on-demand function is stopped", {"functions": [*functions(),
     {"id": "x", "pinned": False, "state": "stopped"}]}, OK, READY, ""),
    ("an on-demand worker that no image has started yet", {"functions": [function("splitter"),
     function("aggregator"), {"id": "inference", "pinned": False, "state": "stopped"}],
     "stats__splitter__workers": {"inference": {"state": "ready", "model": None}}}, OK, READY, ""),
    ("an on-demand function in a crash loop", {"functions": [*functions(),
     {"id": "x", "pinned": False, "state": "crash_loop"}]}, DEGRADED, READY, "function_crash_loop"),
    ("one worker starts, another works", {"functions": functions(w1="starting")},
     DEGRADED, READY, "function_starting"),
    ("both workers start", {"functions": functions(w0="starting", w1="starting")},
     DOWN, BLOCKED, "function_starting"),
    ("one worker in a crash loop", {"functions": functions(w0="crash_loop")},
     DEGRADED, READY, "function_crash_loop"),
    ("one worker hung", {"functions": functions(w0="hung")}, DEGRADED, READY, "function_hung"),
    ("the only fit worker hung, the other drained", {"functions": functions(w0="hung"),
     "stats__splitter__workers": workers(w1="drained")}, DOWN, BLOCKED, "function_hung"),
    ("the splitter died", {"functions": functions(splitter="backoff")},
     DOWN, BLOCKED, "function_backoff"),
    ("the aggregator in a crash loop", {"functions": functions(aggregator="crash_loop")},
     DOWN, BLOCKED, "function_crash_loop"),
    ("nothing is reported yet", {"stats": {}, "silence_s": {}}, DOWN, BLOCKED,
     "part_not_reported"),
    ("a deployment is under way", {"group__running": False}, DOWN, BLOCKED, "no_group"),
    ("it waits for its first job", {"group__deployment": "waiting-for-a-job", "functions": [],
     "stats": {}, "silence_s": {}}, DEGRADED, READY, "waits_for_a_job"),
    ("no worker has been heard by the splitter yet", {"stats__splitter__workers":
     {n: {"state": "unknown", "model": None} for n in ("w0", "w1")}},
     DOWN, BLOCKED, "worker_not_ready"),
    ("one of two on-demand functions cannot be started", {"functions": [*functions(),
     {"id": "x", "pinned": False, "state": "stopped", "startable": False}]},
     DEGRADED, READY, "function_cannot_start"),
    ("the on-demand worker cannot be started", {"functions": [function("splitter"),
     function("aggregator"), {"id": "inference", "pinned": False, "state": "stopped",
     "startable": False}], "stats__splitter__workers": {"inference": {"state": "ready",
     "model": None}, "w0": None, "w1": None}}, DOWN, BLOCKED, "function_cannot_start"),
    ("one worker is silent for the splitter", {"stats__splitter__workers": workers(w0="silent")},
     DEGRADED, READY, "worker_not_ready"),
    ("one worker is blocked by its volume", {"stats__splitter__workers":
     {"w0": worker("blocked", trouble="EIO")}}, DEGRADED, READY, "worker_not_ready"),
    ("every worker hung for the splitter", {"stats__splitter__workers":
     workers(w0="hung", w1="hung")}, DOWN, BLOCKED, "worker_not_ready"),
    ("one worker drained", {"stats__splitter__workers": workers(w0="drained")}, OK, READY, ""),
    ("all drained by the operator", {"stats__splitter__workers":
     workers(w0="drained", w1="draining")}, DOWN, BLOCKED, "all_drained"),
    ("all drained by the operator, and images wait", {"stats__splitter__workers":
     workers(w0="drained", w1="draining"), "stats__splitter__backlog": 4,
     "stats__splitter__inflight": 0, "recent__unanswered_s": 900.0}, DOWN, BLOCKED, "all_drained"),
    ("one heartbeat missing", {"silence_s__heartbeats": {"w0": HEARTBEAT_LIMIT_S + 1}},
     DEGRADED, READY, "worker_silent"),
    ("all heartbeats missing", {"silence_s__heartbeats": {"w0": 9.0, "w1": 9.0}},
     DOWN, BLOCKED, "worker_silent"),
    ("the aggregator's stats stopped", {"silence_s__stats": {"aggregator": STATS_LIMIT_S + 1}},
     DOWN, BLOCKED, "part_silent"),
    ("the aggregator does not answer", {"stats__splitter__aggregator": "silent"},
     DOWN, BLOCKED, "aggregator_silent"),
    ("the aggregator has not agreed yet", {"stats__splitter__aggregator": "asked"},
     DOWN, BLOCKED, "aggregator_silent"),
    ("the aggregator is silent in every way", {"stats__splitter__aggregator": "silent",
     "silence_s__stats": {"aggregator": STATS_LIMIT_S + 1}}, DOWN, BLOCKED, "part_silent"),
    ("the disk is full for the splitter", {"stats__splitter__disk":
     {"state": "full", "detail": "No space left on device"}}, DOWN, BLOCKED, "disk_full"),
    ("the disk is full for the aggregator", {"stats__aggregator__disk":
     {"state": "full", "detail": "no room"}, "stats__splitter__aggregator": "silent"},
     DOWN, BLOCKED, "disk_full"),
    ("the aggregator's own folder is full", {"stats__aggregator__state_volume": {"state": "refuses",
     "folder": "/s/aggregator", "detail": "database or disk is full"}}, DOWN, BLOCKED, "disk_full"),
    ("the splitter's own folder is read-only", {"stats__splitter__state_volume": {"state":
     "refuses", "folder": "/s/splitter", "detail": "attempt to write a readonly database"}},
     DOWN, BLOCKED, "state_volume_refuses"),
    ("a folder's name has the word full", {"stats__splitter__state_volume": {"state": "refuses",
     "folder": "/plants/fullerton", "detail": "Read-only file system"}},
     DOWN, BLOCKED, "state_volume_refuses"),
    ("the journal was replaced", {"stats__splitter__state_volume": {"state": "ready",
     "replaced": ["/s/splitter/journal.sqlite3"]}}, DEGRADED, BLOCKED, "database_replaced"),
    ("the spool was removed", {"replaced": ["/c/spool.sqlite3"]}, DEGRADED, BLOCKED,
     "database_replaced"),
    ("the core sees a full disk", {"disks": [{"use": "images", "path": "/i", "free_bytes": 0,
     "size_bytes": 1 << 30}]}, DOWN, BLOCKED, "disk_full"),
    ("the disk is almost full", {"disks": [{"use": "images", "path": "/i",
     "free_bytes": 1 << 29, "size_bytes": 1 << 40}]}, DEGRADED, READY, "disk_low"),
    ("the disk takes no more files", {"disks": [{"use": "images", "path": "/i", "files": 5000,
     "free_files": 0, "free_bytes": 1 << 39, "size_bytes": 1 << 40}]}, DOWN, BLOCKED, "disk_full"),
    ("the disk takes few more files", {"disks": [{"use": "images", "path": "/i", "files": 500_000,
     "free_files": 9, "free_bytes": 1 << 39, "size_bytes": 1 << 40}]}, DEGRADED, READY, "disk_low"),
    ("a file system that says no size, as some on a network", {"disks": [{"use": "images",
     "path": "/i", "free_bytes": 0, "size_bytes": 0}]}, OK, READY, ""),
    ("a file system without a limit of files", {"disks": [{"use": "images", "path": "/i",
     "files": 0, "free_files": 0, "free_bytes": 1 << 39, "size_bytes": 1 << 40}]}, OK, READY, ""),
    ("the images volume is away", {"stats__splitter__images_volume":
     {"state": "away", "detail": "no marker"}}, DOWN, BLOCKED, "volume_away"),
    ("the images volume is read-only", {"stats__splitter__images_volume":
     {"state": "refuses", "detail": "EROFS"}}, DOWN, BLOCKED, "volume_refuses"),
    ("the spool takes nothing", {"cloud__refusing": "disk_full"}, DEGRADED, READY,
     "spool_refuses"),
    ("the state volume is mounted read-only", {"disks": [{"use": "state, images", "path": "/s",
     "free_bytes": 1 << 40, "size_bytes": 1 << 40, "read_only": True}]}, DEGRADED, READY,
     "state_volume_refuses"),
    ("the backlog is high", {"stats__splitter__backlog": 85, "stats__splitter__inflight": 8},
     DEGRADED, READY, "backlog_high"),
    ("the backlog is full while images are inspected", {"stats__splitter__backlog": 100,
     "stats__splitter__inflight": 8}, DEGRADED, BLOCKED, "backlog_full"),
    ("the router's queue is full", {"router__work_items": 1024}, DEGRADED, BLOCKED,
     "router_full"),
    ("the model fails all images", {"recent": {"answered": 0, "failed": 158,
     "model_errors": 158}}, DOWN, BLOCKED, "model_fails"),
    ("the model fails a third", {"recent": {"answered": 100, "failed": 50, "model_errors": 48}},
     DEGRADED, READY, "model_fails_some"),
    ("a camera's images are broken", {"recent": {"answered": 100, "failed": 50}},
     DEGRADED, READY, "images_fail"),
    ("three images of a hundred failed", {"recent": {"answered": 97, "failed": 3}},
     OK, READY, ""),
    ("images wait and nobody has any", {"stats__splitter__backlog": 12,
     "recent__unanswered_s": 31.0}, DOWN, BLOCKED, "no_results"),
    ("a slow model", {"stats__splitter__backlog": 12, "stats__splitter__inflight": 2,
     "recent__unanswered_s": 45.0}, OK, READY, ""),
    ("a very slow model", {"stats__splitter__backlog": 12, "stats__splitter__inflight": 2,
     "recent__unanswered_s": 301.0}, DEGRADED, READY, "slow_results"),
    ("slower than the site lets an image be", {"stats__splitter__backlog": 12,
     "stats__splitter__inflight": 2, "recent__unanswered_s": 45.0, "recent__busy_limit_s": 40.0},
     DEGRADED, READY, "slow_results"),
    ("as slow as the site lets an image be", {"stats__splitter__backlog": 12,
     "stats__splitter__inflight": 2, "recent__unanswered_s": 900.0,
     "recent__busy_limit_s": 3600.0}, OK, READY, ""),
    ("images are dropped", {"recent__dropped": 4}, DEGRADED, READY, "images_dropped"),
    ("a camera sends what is no image", {"recent__refused_images": refused_images("not_an_image")},
     DEGRADED, READY, "images_refused"),
    ("it sent that an hour ago", {"recent__refused_images": refused_images("busy", 3000.0)},
     OK, READY, ""),
    ("a camera may not connect", {"mqtt__refused_clients": refused_client("hall-right")},
     DEGRADED, READY, "client_refused"),
    ("it was let in since", {"mqtt__refused_clients": refused_client("hall-left")}, OK, READY, ""),
    ("the journal was damaged", {"stats__splitter__salvage": {"kept": "j.corrupt", "rescued": 9}},
     DEGRADED, READY, "journal_damaged"),
    ("a certificate ends in a week", {"certificates":
     [{"name": "hall-left", "expires_in_s": 7 * DAY_S}]}, DEGRADED, READY, "certificate_expires"),
    ("a certificate has ended", {"certificates": [{"name": "hall-left", "expires_in_s": -60.0}]},
     DEGRADED, READY, "certificate_expired"),
    ("the clock was never set", {"core__clock": 90_000.0}, DEGRADED, READY, "clock_wrong"),
    ("nor can the cloud be reached then", {"core__clock": 90_000.0, "cloud__link": {
     "connected": False, "problem": "clock", "message": "this device's clock says 1970"}},
     DEGRADED, READY, "clock_wrong"),
    ("the history cannot be written", {"history": {"problem": "h.sqlite3: disk I/O error"}},
     DEGRADED, READY, "history_problem"),
    ("the webhook takes no calls", {"alerts": {"channels": [{"name": "webhook", "waiting": 2,
     "problem": "answered 500"}]}}, DEGRADED, READY, "alerts_not_sent"),
    ("the rules of the alerts cannot be read", {"alerts": {"problem": "rule x: no label"}},
     DEGRADED, READY, "alerts_not_sent"),
    ("a deployment was rolled back", {"group": {"refused": REFUSED, "history": ROLLED_BACK}},
     DEGRADED, READY, "deployment_rolled_back"),
    ("and the core was started again", {"group": {"refused": REFUSED,
     "history": [*ROLLED_BACK, {"deployment": "d1", "outcome": "applied"}]}},
     DEGRADED, READY, "deployment_rolled_back"),
    ("and a newer one runs", {"group": {"refused": REFUSED,
     "history": [*ROLLED_BACK, {"deployment": "d3", "outcome": "applied"}]}}, OK, READY, ""),
    ("a deployment could not be applied", {"group": {"refused": REFUSED,
     "history": [{"deployment": "d2", "outcome": "refused"}]}}, DEGRADED, READY,
     "deployment_refused"),
    ("the first deployment is not healthy", {"group__history":
     [{"deployment": "d1", "outcome": "not healthy", "detail": "w0 died"}]},
     DEGRADED, READY, "deployment_not_healthy"),
    ("the local sink's folder is gone", {"cloud": {"failures": 3, "last_error": "no folder"}},
     DEGRADED, READY, "cloud_unreachable"),
    ("AWS IoT refuses the connection", {"cloud__link": {**LINK, "connected": False,
     "message": "refused: check the certificate"}}, DEGRADED, READY, "cloud_unreachable"),
    ("AWS IoT was never reached", {"cloud__link": {**LINK, "connected": False}},
     DEGRADED, READY, "cloud_unreachable"),
    ("AWS IoT is being reached", {"cloud__link": {**LINK, "connected": False},
     "core__uptime_s": 3.0}, OK, READY, ""),
    ("AWS IoT is connected", {"cloud__link": LINK}, OK, READY, ""),
    ("two cores with one certificate", {"cloud__link": {**LINK, "taken_over": 4}},
     DEGRADED, READY, "certificate_shared"),
    ("just now, and AWS IoT has said so", {"cloud__link": {"connected": False, "taken_over": 1,
     "problem": "taken_over", "message": "another device connected as 'hall-core'"}},
     DEGRADED, READY, "certificate_shared"),
    ("AWS IoT sends no messages on a topic", {"cloud__link":
     {**LINK, "refused_filters": {"hall/down": "not authorized"}}}, DEGRADED, READY,
     "cloud_refuses"),
    ("the spool drops results", {"recent__cloud_lost": 12}, DEGRADED, READY, "cloud_lost"),
    ("the spool is almost full", {"cloud__spooled_bytes": 850}, DEGRADED, READY, "spool_high"),
    ("the role alias is refused", {"cloud__credentials": {"problem": "403"}},
     DEGRADED, READY, "credentials_missing"),
    ("a topic is refused by the cloud", {"cloud__quarantined":
     {"topics": [{"topic": "a/b", "count": 2, "reason": "not allowed"}]}},
     DEGRADED, READY, "cloud_refuses"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "state", "ready", "code"),
    [row[1:] for row in SITUATIONS],
    ids=[row[0].replace(" ", "-") for row in SITUATIONS],
)
def test_a_situation_has_one_verdict(
    changes: dict[str, Any], state: str, ready: bool, code: str
) -> None:
    verdict = judge(status_with(**changes))

    assert (verdict["state"], verdict["ready"]) == (state, ready), verdict["reasons"]
    assert {r["code"] for r in verdict["reasons"]} == ({code} if code else set())
    assert not code or every(r["problem"] and r["remedy"] for r in verdict["reasons"])


def test_the_table_is_long_enough_to_be_believed() -> None:
    assert len(SITUATIONS) >= 40


def test_who_keeps_dying_is_said_with_what_it_died_of() -> None:
    died = function("splitter", "crash_loop", last_error="exited with status 1")
    [reason] = judge(status_with(functions=[died, *functions()[1:]]))["reasons"]

    assert reason["problem"].endswith("crash loop: exited with status 1")


def test_every_reason_comes_at_once_the_worst_first() -> None:
    verdict = judge(status_with(functions=functions(splitter="hung"), cloud__refusing="disk_full"))

    assert [r["level"] for r in verdict["reasons"]] == [DOWN, DEGRADED]


def test_a_full_disk_is_called_so_and_nothing_is_called_stuck() -> None:
    full = {"state": "full", "detail": "No space left on device"}
    verdict = judge(status_with(stats__splitter__disk=full, recent__unanswered_s=90.0))

    said = " ".join(f"{r['subject']} {r['problem']}" for r in verdict["reasons"])
    assert "disk full" in said
    assert "stuck" not in said


def test_a_worker_whose_process_hangs_is_named_once() -> None:
    hung = status_with(
        functions=functions(w0="hung"),
        stats__splitter__workers=workers(w0="hung"),
        silence_s__heartbeats={"w0": 9.0},
    )

    assert len(judge(hung)["reasons"]) == 1


def test_what_an_operator_wished_is_told_from_what_is_ill() -> None:
    drained = workers(w0="drained", w1="drained")
    [wish] = judge(status_with(stats__splitter__workers=drained))["reasons"]
    [fault] = judge(status_with(stats__splitter__workers=workers(w0="hung")))["reasons"]

    assert (wish["requested"], fault["requested"]) == (True, False)


def test_only_the_group_s_own_faults_hold_a_deployment_back() -> None:
    away = {"failures": 3, "last_error": "no folder"}
    verdict = judge(status_with(functions=functions(w0="hung"), cloud=away))

    assert [(r["code"], r["gate"]) for r in verdict["reasons"]] == [
        ("function_hung", True),
        ("cloud_unreachable", False),
    ]


def test_every_reader_says_the_verdict_that_the_core_made() -> None:
    """One that no evidence gives, so that a reader that judged by itself would be seen."""
    why = {"code": "made_up", "level": DOWN, "subject": "worker w9", "problem": "is made up",
        "remedy": "none", "requested": False}  # fmt: skip
    status: Any = {**WELL, "verdict": {"state": DOWN, "ready": False, "reasons": [why]}}
    page = PageModel(SiteView()).sections(status, 0.0)["verdict"]
    told = report(status, site="hall", interval_s=60.0, wall=0.0)
    metrics = {(s.name, *s.labels.values()): s.value for f in families(status) for s in f.samples}
    seen = Evidence(status=status, windows=Windows(), now=0.0, started=0.0)

    assert (page["state"], page["reasons"][0]["code"]) == (DOWN, "made_up")
    assert (told["verdict"], told["reasons"][0]["code"]) == (DOWN, "made_up")
    assert metrics["fanfold_verdict", DOWN] == 1.0
    assert metrics["fanfold_verdict_reasons", "made_up"] == 1.0
    assert alerted(Rule(name="w", when="worker_down"), seen) == "worker w9 is made up"


def test_only_the_core_and_its_gate_judge() -> None:
    imports = re.compile(r"from edgecore\.core\.verdict import .*\bjudge\b")
    files = [*(PROJECT / "edgecore").rglob("*.py"), *(PROJECT / "fanfold").rglob("*.py")]
    found = [f.relative_to(PROJECT).as_posix() for f in files if imports.search(f.read_text())]

    assert found == ["edgecore/daemon/process.py"]


def test_two_kinds_of_workers_are_each_needed() -> None:
    """Transforms are fed by the splitter, inference by them: neither replaces the other."""
    decoupled = status_with(
        functions=[
            *functions()[:2],
            function("t0"),
            function("w0", "hung"),
        ],
        silence_s={"heartbeats": {"t0": 0.1, "w0": 9.0}, "stats": {"splitter": 0.1}},
    )
    decoupled["stats"]["splitter"]["workers"] = {"t0": worker()}

    assert judge(decoupled)["state"] == DOWN


def test_every_reason_for_a_refusal_has_words() -> None:
    assert WHY_REFUSED.keys() == REJECTED_REASONS


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(
            st.sampled_from(
                ["workers", "w0", "state", "model", "disk", "backlog", "salvage", "drop", "t"]
            ),
            inner,
        ),
    ),
)


@given(ANYTHING, ANYTHING)
def test_stray_stats_cost_their_own_numbers_and_no_more(splitter: Any, aggregator: Any) -> None:
    stray: Any = {**WELL, "stats": {"splitter": splitter, "aggregator": aggregator}}

    judge(stray)
    assert {m.name for m in families(stray)} == {m.name for m in families({})}

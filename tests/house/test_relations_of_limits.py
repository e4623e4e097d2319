"""Limits of different rooms that rely on one another: what a comment claims is counted here.

Times between the parts of a group have a table of their own (`contract/timing.py`).
"""

from __future__ import annotations

import ast

import pytest
from checkout import PROJECT

from contract.limits import IMAGE_BYTES, MESSAGE_BYTES, SPOOLER_MIN_BYTES, WORK_ITEMS
from contract.messages.terms import MAX_DETAIL_CHARS
from contract.timing import HEARTBEAT_S, LEASE_MISSED_S, RECOVERY_S
from device.launcher.core import STOP_TIMEOUT_S
from edgecore.alerts import channel, senders
from edgecore.canary.pairs import PAIR_LIMIT_S
from edgecore.core.options import HEALTH_LIMIT_S
from edgecore.core.reports import HEARTBEAT_LIMIT_S, HUNG_AFTER_S, STATS_LIMIT_S
from edgecore.daemon import check_runner, model_swap
from edgecore.deploy.health_gate import SETTLE_S
from edgecore.history import text
from edgecore.ipc.protocol import MOST_ITEMS
from edgecore.ipc.server import REQUEST_DEADLINE_S
from edgecore.supervisor.supervisor import STOP_GRACE_S
from edgecore.uplink.iot import paho_session, quotas, role_alias
from edgecore.web.dashboard.thumbnails import MAX_FILE_BYTES
from fanfold.sending import sender
from infra.planning.site import Site, Timeouts
from infra.targets.v2 import recipes
from lambdas.common import loop
from lambdas.grabber import flow, grabber, video, watch
from lambdas.splitter import admission
from lambdas.splitter import engine as splitter
from lambdas.worker.hold import LET_GO_S

RUNTIME = PROJECT / "edgecore" / "runtime" / "provided" / "fanfold_runtime"
LITE_GIVES_UP_S = 300
"""Greengrass nucleus lite, on one step of a deployment."""
AWS_KEEP_ALIVE_S = (30, 1200)
SHORTEST_ROLE_ALIAS_S = 900


def of_runtime(module: str, name: str) -> float:
    """A constant of what is loaded inside a function's process, and nowhere else."""
    tree = ast.parse((RUNTIME / f"{module}.py").read_text())
    (value,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == [name]
    ]
    return ast.literal_eval(value)


RELATIONS = {
    "two heartbeats may be late before a worker is called silent":
        HEARTBEAT_LIMIT_S > 2 * HEARTBEAT_S,
    "ten stats may be missing before a part is called silent":
        10 * max(splitter.STATS_EVERY_S, grabber.STATS_EVERY_S) <= STATS_LIMIT_S,
    "a part is called silent before it is ended as hung":
        STATS_LIMIT_S < HUNG_AFTER_S,
    "a health gate stays shut until a worker that died at once would be missed":
        max(HEARTBEAT_LIMIT_S, LEASE_MISSED_S) < SETTLE_S,
    "a pause for a model's swap outlasts every health gate":
        model_swap.PAUSE_S > 2 * HEALTH_LIMIT_S,
    "a worker that cannot read gives its image back in time for another to answer":
        Site.model_fields["max_wait_s"].default >= LET_GO_S + RECOVERY_S,
    "a canary waits longer for an answer than a worker may be silent":
        Timeouts().worker_s < PAIR_LIMIT_S,
    "rate and burst of publishes stay below AWS's count in any second":
        quotas.PUBLISHES_PER_S + quotas.PUBLISH_BURST
        <= quotas.COUNTED_PER_S < quotas.AWS_PUBLISHES_PER_S,
    "bytes stay below AWS's":
        quotas.BYTES_PER_S < quotas.AWS_BYTES_PER_S,
    "a window of one connection has room at its peer, and AWS's for it":
        quotas.WINDOW_MESSAGES <= paho_session.RECEIVE_MAXIMUM <= quotas.AWS_IN_FLIGHT,
    "a message of full size fits the window":
        quotas.WINDOW_BYTES >= quotas.MAX_PAYLOAD_BYTES,
    "the keep-alive is one that AWS takes as it is":
        AWS_KEEP_ALIVE_S[0] <= paho_session.KEEP_ALIVE_S <= AWS_KEEP_ALIVE_S[1],
    "credentials are renewed before a clock within its limits spoils them":
        role_alias.SKEW_S < role_alias.RENEW_BEFORE_S < SHORTEST_ROLE_ALIAS_S,
    "the smallest spool holds a message of full size":
        MESSAGE_BYTES.value < SPOOLER_MIN_BYTES.value,
    "a camera asks again and again while the splitter may park its event":
        flow.RESEND_S < admission.MAX_PARKED_S < flow.GIVE_UP_S,
    "a camera's process is ended after its reader's own limit":
        video.OPEN_S < watch.START_S,
    "what `fanfold send` has in flight fits the core's queue, with room for others":
        WORK_ITEMS.value > 4 * sender.WINDOW,
    "a part of the site takes all that a core's queue may hold":
        WORK_ITEMS.value < loop.MAX_MESSAGES,
    "a client of the core outwaits the deadline that the core sets":
        of_runtime("wire", "ANSWER_TIMEOUT_S") > REQUEST_DEADLINE_S,
    "one answer takes all messages that our runtime packs together":
        of_runtime("publishing", "PACKET_MESSAGES") <= MOST_ITEMS,
    "a core that is stopped has ended its functions before its launcher ends it":
        STOP_GRACE_S < STOP_TIMEOUT_S,
    "a doctor's run ends before the next":
        check_runner.TIMEOUT_S < check_runner.EVERY_S,
    "a socket's limit comes before that of the whole attempt to send an alert":
        senders.TIMEOUT_S < channel.ATTEMPT_S,
    "a target v2's gate, verdict and install end in that order, and before lite gives up":
        recipes.HEALTH_S < recipes.VERDICT_S < recipes.INSTALL_S < LITE_GIVES_UP_S,
    "the history keeps a reason whole":
        text.MAX_CHARS >= MAX_DETAIL_CHARS,
    "the page shows every image that a site takes where it says nothing else":
        MAX_FILE_BYTES >= IMAGE_BYTES,
}  # fmt: skip


@pytest.mark.parametrize("claim", RELATIONS)
def test_the_relation_holds(claim):
    assert RELATIONS[claim]


def test_systemd_waits_longer_for_the_launcher_than_the_launcher_for_its_core():
    unit = (PROJECT / "device" / "units" / "fanfold@.service").read_text()
    (line,) = [line for line in unit.splitlines() if line.startswith("TimeoutStopSec=")]

    assert float(line.partition("=")[2]) > STOP_TIMEOUT_S

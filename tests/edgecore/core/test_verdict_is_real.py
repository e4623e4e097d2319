"""Which test makes each of the verdict's reasons real, on a core with processes and disks."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from checkout import PROJECT

from edgecore.core.lifecycle import FunctionState
from edgecore.core.verdict.processes import STATES

#: What stands in the sources as a reason does, and is none: a word of the spool.
NO_REASONS = {"quota_refused"}
VERDICT = PROJECT / "edgecore/core/verdict"
FIRST = "edgecore/daemon/test_verdict_on_a_real_core.py"
TIGHT = "edgecore/daemon/test_verdict_of_a_tight_core.py"
HELD = "edgecore/daemon/test_verdict_of_a_held_core.py"
JOINED = "edgecore/daemon/test_verdict_of_a_joined_core.py"
ROLLBACK = "fanfold/cloud/test_automatic_rollback.py"
CAMERAS = "fanfold/test_live_cameras.py"
#: Reason → the test below tests/ that waits for it on a core.
MADE_REAL = {
    "all_drained": FIRST, "client_refused": FIRST, "cloud_unreachable": FIRST, "disk_full": FIRST,
    "function_hung": FIRST, "images_refused": FIRST, "model_fails": FIRST, "volume_away": FIRST,
    "backlog_full": TIGHT, "backlog_high": TIGHT, "cloud_lost": TIGHT, "disk_low": TIGHT,
    "function_backoff": TIGHT, "function_crash_loop": TIGHT, "function_starting": TIGHT,
    "images_dropped": TIGHT, "images_fail": TIGHT, "journal_damaged": TIGHT,
    "model_fails_some": TIGHT, "no_results": TIGHT, "router_full": TIGHT, "spool_high": TIGHT,
    "volume_refuses": TIGHT, "worker_silent": TIGHT,
    "aggregator_silent": HELD, "part_silent": HELD, "slow_results": HELD,
    "worker_not_ready": HELD, "alerts_not_sent": HELD,
    "clock_wrong": "edgecore/daemon/test_core_with_a_certificate.py", "history_problem": TIGHT,
    "certificate_expired": JOINED, "certificate_expires": JOINED, "cloud_refuses": JOINED,
    "credentials_missing": JOINED, "no_group": JOINED, "part_not_reported": JOINED,
    "certificate_shared": "devcloud/iot/test_core_of_two.py",
    "deployment_not_healthy": ROLLBACK, "deployment_refused": ROLLBACK,
    "deployment_rolled_back": ROLLBACK,
    "camera_away": CAMERAS, "camera_frozen": CAMERAS,
    "canary_refused": "edgecore/daemon/test_canary_on_a_real_core.py",
    "function_cannot_start": "conformance/world/test_runtimes.py",
    "database_replaced": "chaos/test_chaos_restore.py",
    "spool_refuses": "chaos/test_chaos_disks.py",
    "state_volume_refuses": "chaos/test_chaos_disks.py",
    "waits_for_a_job": "edgecore/daemon/test_core_with_a_certificate.py",
}  # fmt: skip


def codes() -> set[str]:
    """Every reason that the sources can give."""
    text = "\n".join(path.read_text("utf-8") for path in sorted(VERDICT.glob("*.py")))
    kinds = r"(?:degraded|down|gate)\(\s*(?:[\w.()]+,\s*)?"
    given = re.findall(kinds + r'"([a-z]+_[a-z_]+)"', text)
    chosen = re.findall(r'"([a-z]+_[a-z_]+)" if | else "([a-z]+_[a-z_]+)"', text)
    found = {*given, *(code for pair in chosen for code in pair if code)}
    return (found | {f"function_{state}" for state in STATES}) - NO_REASONS


def test_every_reason_is_made_real() -> None:
    assert codes() == MADE_REAL.keys()


def test_every_reason_is_in_the_specification() -> None:
    """`function_starting`, `_backoff`: what begins with an underscore goes on from the first."""
    table = (PROJECT / "docs/spec/verdict.md").read_text("utf-8")
    listed: set[str] = set()
    for row in re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE):
        first, *more = re.findall(r"`(\w+)`", row)
        beginning = first.partition("_")[0]
        listed |= {first} | {beginning + each if each[0] == "_" else each for each in more}

    assert listed == MADE_REAL.keys()


def test_each_state_in_which_a_function_does_not_run_has_its_words() -> None:
    """But for stopped: nobody needs it now, or it cannot be started, which is said so."""
    assert STATES.keys() == set(get_args(FunctionState)) - {"running", "stopped"}


@pytest.mark.parametrize("code", sorted(MADE_REAL))
def test_the_test_that_makes_it_real_waits_for_it_on_a_core(code: str) -> None:
    text = (PROJECT / "tests" / MADE_REAL[code]).read_text("utf-8")

    assert f'"{code}"' in text or f"calls {code}" in text
    assert re.search(r"real_core|core_site|cloud_plant|chaos_plant|site: Site|joined_core", text)

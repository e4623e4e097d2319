"""Which test makes each of the verdict's reasons real, on a core with processes and disks."""

from __future__ import annotations

import re

import pytest
from checkout import PROJECT

VERDICT = PROJECT / "edgecore/core/verdict"
FIRST = "edgecore/daemon/test_verdict_on_a_real_core.py"
TIGHT = "edgecore/daemon/test_verdict_of_a_tight_core.py"
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
    "deployment_not_healthy": ROLLBACK, "deployment_refused": ROLLBACK,
    "deployment_rolled_back": ROLLBACK,
    "camera_away": CAMERAS, "camera_frozen": CAMERAS,
    "canary_refused": "edgecore/daemon/test_canary_on_a_real_core.py",
    "function_cannot_start": "conformance/world/test_runtimes.py",
    "spool_refuses": "chaos/test_chaos_disks.py",
    "state_volume_refuses": "chaos/test_chaos_disks.py",
    "waits_for_a_job": "edgecore/daemon/test_core_with_a_certificate.py",
}  # fmt: skip
#: Reason → why no core is brought to it; its row in test_verdict.py is all there is.
NOT_MADE_REAL = {
    "function_state": "a state that no core of today has",
    "function_stopped": "between two processes of a function, for less than a status takes",
    "part_not_reported": "the first moment of every start",
    "worker_without_model": "a moment of every start: heartbeats bring the model with them",
    "worker_not_ready": "a worker that is not ready is silent, hung or starting first",
    "part_silent": "a part whose process is stopped is hung, which is said instead",
    "aggregator_silent": "the same",
    "no_group": "between two groups, for less than a status takes",
    "slow_results": "five minutes of a model that answers nothing",
    "certificate_expires": "needs a certificate of thirty days; the clock is the machine's",
    "certificate_expired": "the same",
    "certificate_shared": "the uplink's word, uplink/iot/test_uplink_over_mosquitto.py",
    "cloud_refuses": "the uplink's word, uplink/iot/test_uplink_over_mosquitto.py",
    "credentials_missing": "the uplink's word, uplink/iot/test_role_alias.py",
}


def codes() -> set[str]:
    """Every reason that the sources can give."""
    text = "\n".join(path.read_text("utf-8") for path in sorted(VERDICT.glob("*.py")))
    kinds = r"(?:degraded|down|gate)\(\s*(?:[\w.()]+,\s*)?"
    given = re.findall(kinds + r'"([a-z]+_[a-z_]+)"', text)
    chosen = re.findall(r'"([a-z]+_[a-z_]+)" if | else "([a-z]+_[a-z_]+)"', text)
    states = re.findall(r'^    "([a-z_]+)": \(\s*"', text, re.MULTILINE)
    found = {*given, *(code for pair in chosen for code in pair if code)}
    return found | {f"function_{state}" for state in states}


def test_every_reason_is_made_real_or_says_why_not() -> None:
    assert codes() - {"quota_refused"} == MADE_REAL.keys() | NOT_MADE_REAL.keys()
    assert not MADE_REAL.keys() & NOT_MADE_REAL.keys()


@pytest.mark.parametrize("code", sorted(MADE_REAL))
def test_the_test_that_makes_it_real_waits_for_it_on_a_core(code: str) -> None:
    text = (PROJECT / "tests" / MADE_REAL[code]).read_text("utf-8")

    assert f'"{code}"' in text or f"calls {code}" in text
    assert re.search(r"real_core|core_site|cloud_plant|chaos_plant|site: Site|class Core", text)

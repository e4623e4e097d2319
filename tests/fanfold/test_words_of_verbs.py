"""What verbs say beside their tables."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from edgecore.history.settings import Settings
from fanfold.common.errors import UserError
from fanfold.localcore import running
from fanfold.verbs.history import whose_times
from fanfold.verbs.sites import summary


@pytest.mark.parametrize(
    ("verdicts", "said"), [(["ok"], "1 site: 1 ok (from"), (["ok", "ok"], "2 sites: 2 ok (from")]
)
def test_one_site_is_not_said_in_the_plural(verdicts: list[str], said: str) -> None:
    data: dict[str, Any] = {"sites": [{"verdict": v} for v in verdicts]}

    assert summary({**data, "read_at": 0.0, "where": "AWS"}).startswith(said)


def test_the_history_says_whose_its_times_are_where_this_machine_has_others() -> None:
    here = datetime(2026, 12, 1, 12, tzinfo=timezone.utc)

    assert whose_times(Settings(time_zone="UTC"), here) == ""
    assert "Asia/Tokyo" in whose_times(Settings(time_zone="Asia/Tokyo"), here)


def test_a_site_that_does_not_run_here_is_refused_with_those_that_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("FANFOLD_STATE", str(tmp_path))
    core = running.RunningCore(tmp_path / "press-7", {})
    monkeypatch.setattr(running, "all_running", lambda: [core])

    with pytest.raises(UserError, match=r"no core of site 'pres-7' .*; running: press-7\)"):
        running.find("pres-7")


def test_of_several_cores_that_ran_here_one_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("FANFOLD_STATE", str(tmp_path))
    for name in ("line-9", "press-7"):
        (tmp_path / "core" / name / "logs").mkdir(parents=True)

    with pytest.raises(UserError, match=r"several ran here: line-9, press-7\. Pass the site"):
        running.state_of(None)
    assert running.state_of("line-9").name == "line-9"

"""The first live images of a new deployment: counted over restarts, judged by one rule."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import groups
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_disks import fill, small_disk_at

from edgecore import deploy
from edgecore.core.group import Group
from edgecore.deploy import trial
from edgecore.deploy.trial import FEWEST, SILENT_LIMIT_S, Tally, Trial, TrialRule
from edgecore.sources import LoadedGroup, load

RULE = TrialRule()


def counted(answered: int, failed: int) -> Any:
    return {"stats": {"aggregator": {"answered": answered, "model_errors": failed}}}


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 100), st.floats(0, 1))
def test_above_the_share_it_goes_and_below_it_stays_once_all_images_were_seen(
    answered, failed, images, share
):
    said = trial.judge(TrialRule(images, share), Tally(answered, failed))

    if failed > share * images:
        assert isinstance(said, str)
    if failed <= share * (answered + failed):
        assert not isinstance(said, str) or failed > share * images
    if said is None:
        assert answered + failed < images


@given(st.lists(st.booleans(), min_size=1, max_size=120), st.integers(1, 60), st.floats(0, 1))
def test_however_the_images_come_it_ends_within_as_many_as_the_rule_names(fates, images, share):
    tally = Tally()
    for seen, failed in enumerate(fates, 1):
        tally = Tally(tally.answered + (not failed), tally.failed + failed)
        said = trial.judge(TrialRule(images, share), tally)
        if said is not None:
            assert seen <= images
            return
    assert len(fates) < images


def test_a_model_that_fails_the_first_images_is_told_with_its_share():
    live = Trial(RULE, Tally(), 0.0)

    assert live.see(counted(0, FEWEST - 1), 1.0) is None
    assert "failed 6 of the first 10 images" in str(live.see(counted(4, 6), 2.0))


def test_counters_of_an_aggregator_that_was_started_again_are_added():
    live = Trial(RULE, Tally(), 0.0)
    live.see(counted(20, 3), 1.0)
    live.see(counted(2, 0), 2.0)

    assert live.see(counted(10, 1), 3.0) is None
    assert live.tally == Tally(30, 4)


def test_a_restarted_core_goes_on_with_what_was_counted():
    live = Trial(RULE, Tally(30, 4), 0.0)

    assert live.see(counted(16, 0), 1.0) is True


def test_a_group_that_counts_no_answers_is_not_judged_by_them():
    live = Trial(RULE, Tally(), 0.0)

    assert live.see({}, SILENT_LIMIT_S - 1) is None
    assert live.see({}, SILENT_LIMIT_S + 1) is True


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"images": "x"}', '{"images": -1}', '{"max_failed": 2}', "null"]
)
def test_a_rule_that_cannot_be_read_is_the_default(text):
    assert trial.rule_of({trial.VARIABLE: text}) == RULE


def test_a_rule_is_the_sites():
    rule = trial.rule_of({trial.VARIABLE: '{"images":10,"max_failed":0.2}'})

    assert rule == TrialRule(10, 0.2)


def as_loaded(state: Path, name: str) -> LoadedGroup:
    """A group of its own content, staged."""
    document = groups.write(state / f"from-{name}", body=f"# {name}\n", DeploymentId=name)
    return load(str(document), state=state)


class FakeCore:
    """Groups that start at once; a status that a test sets."""

    ports: Mapping[str, int | None] = {}

    def __init__(self, state: Path) -> None:
        self.stats: Any = counted(0, 0)
        self.reports: dict[str, tuple[str, str]] = {}
        self.manager: deploy.DeploymentManager[Any] = deploy.DeploymentManager(
            state, start=self._start, status=lambda: self.stats, report=self._report,
            changed=lambda: None,
        )  # fmt: skip

    async def _start(self, _group: Group, _ports: Mapping[str, int | None]) -> FakeCore:
        return self

    async def stop(self) -> None: ...

    def _report(self, deployment: str, status: str, reason: str) -> None:
        self.reports[deployment] = (status, reason)

    async def until(self, true: Any) -> None:
        async def there() -> None:
            while not true():
                await asyncio.sleep(0.01)

        await asyncio.wait_for(there(), 60)

    @property
    def runs(self) -> str:
        assert self.manager.loaded is not None
        return self.manager.loaded.deployment_id


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "STEP_S", 0.01)
    monkeypatch.setattr("edgecore.deploy.health_gate.SETTLE_S", 0.0)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("uncommitted", [True, False], ids=["pulled", "file"])
def test_a_group_that_replaces_another_is_on_trial_whichever_way_it_came(
    tmp_path: Path, uncommitted: bool
):
    async def story() -> None:
        first = FakeCore(tmp_path)
        await first.manager.begin(as_loaded(tmp_path, "good"), uncommitted=uncommitted)
        await first.until(lambda: not deploy.is_uncommitted(tmp_path))
        await first.manager.close()
        core = FakeCore(tmp_path)
        await core.manager.begin(as_loaded(tmp_path, "bad"), uncommitted=uncommitted)
        await core.until(lambda: core.manager.trial is not None)
        core.stats = counted(1, 3)
        on_disk = tmp_path / "deployment/current/trial.json"
        await core.until(lambda: json.loads(on_disk.read_text())["failed"] == 3)
        await core.manager.close()

        again = FakeCore(tmp_path)
        again.stats = counted(0, 2)
        await again.manager.begin(as_loaded(tmp_path, "bad"), uncommitted=uncommitted)
        await again.until(lambda: again.runs == "good")
        assert "failed 5 of the first 6 images" in again.reports["bad"][1]
        assert again.manager.history.entries[-1]["outcome"] == "rolled back"
        await again.manager.close()

    asyncio.run(story())


@pytest.mark.usefixtures("quick")
def test_a_trial_that_was_passed_is_over_and_the_model_proved(tmp_path: Path):
    async def story() -> None:
        core = FakeCore(tmp_path)
        proved: list[str] = []
        core.manager._on_commit = lambda loaded: proved.append(loaded.deployment_id)
        await core.manager.begin(as_loaded(tmp_path, "good"), uncommitted=True)
        await core.until(lambda: proved == ["good"])
        await core.manager.switch_to(as_loaded(tmp_path, "newer"))
        core.stats = counted(50, 0)
        await core.until(lambda: proved == ["good", "newer"])
        assert not (tmp_path / "deployment/current/trial.json").exists()
        await core.manager.close()

    asyncio.run(story())


@pytest.mark.usefixtures("quick")
def test_a_disk_without_a_byte_keeps_no_bad_group_and_takes_no_new_one(tmp_path: Path):
    """Going back needs no room; what cannot be noted changes nothing, and succeeds with room."""

    async def story(state: Path) -> None:
        core = FakeCore(state)
        await core.manager.begin(as_loaded(state, "good"), uncommitted=True)
        await core.until(lambda: not deploy.is_uncommitted(state))
        await core.manager.switch_to(as_loaded(state, "bad"))
        await core.until(lambda: core.manager.trial is not None)
        newer = as_loaded(state, "newer")
        fill(state)
        core.stats = counted(1, 9)
        await core.until(lambda: core.runs == "good")
        refusal = deploy.refused(state)
        assert refusal is not None
        assert refusal.deployment == "bad"
        assert "failed" in core.reports["bad"][1]

        with pytest.raises(OSError, match="No space left"):
            await core.manager.switch_to(newer)
        assert (core.runs, (state / "deployment/current").readlink().name) == ("good", "good")

        (state / "other").unlink()
        core.stats = counted(0, 0)
        await core.manager.switch_to(as_loaded(state, "newer"))
        await core.until(lambda: not deploy.is_uncommitted(state))
        assert core.runs == "newer"
        await core.manager.close()

    with small_disk_at(tmp_path / "disk", 2) as disk:
        asyncio.run(story(disk))


class Compared:
    """A canary that says what a test wants, when it wants."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self) -> str:
        return await self.answer


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("reason", "runs"), [("", "new"), ("canary: differs", "old")])
def test_the_old_group_runs_until_the_canary_has_spoken(tmp_path: Path, reason: str, runs: str):
    async def story() -> None:
        core, canary = FakeCore(tmp_path), Compared()
        await core.manager.begin(as_loaded(tmp_path, "old"), uncommitted=True)
        core.manager._find_canary = lambda _old, _new: canary
        await core.manager.switch_to(as_loaded(tmp_path, "new"))
        assert core.runs == "old"
        assert core.manager.candidate is not None

        canary.answer.set_result(reason)
        await core.until(lambda: core.manager.candidate is None)
        assert core.runs == runs
        if reason:
            assert core.reports["new"] == ("Failure", reason)
        await core.manager.close()

    asyncio.run(story())


@pytest.mark.usefixtures("quick")
def test_a_newer_deployment_ends_the_canary_of_the_one_before(tmp_path: Path):
    async def story() -> None:
        core, canary = FakeCore(tmp_path), Compared()
        await core.manager.begin(as_loaded(tmp_path, "old"), uncommitted=True)
        core.manager._find_canary = lambda _old, _new: canary
        await core.manager.switch_to(as_loaded(tmp_path, "new"))
        await asyncio.sleep(0)
        core.manager._find_canary = lambda _old, _new: None
        await core.manager.switch_to(as_loaded(tmp_path, "newest"))

        assert canary.answer.cancelled()
        assert core.runs == "newest"
        await core.manager.close()

    asyncio.run(story())

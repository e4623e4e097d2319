"""What the launcher remembers of versions, and what it starts after whatever happened."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.versions.record import TRIAL_STARTS, Versions, VersionsError, read, remove, write

EVENTS = st.sampled_from(["start", "ready", "too late", "power cut", "new"])


def test_nothing_is_started_where_nothing_is_installed(tmp_path: Path) -> None:
    assert read(tmp_path / "versions.json").current is None


def test_a_new_version_is_on_trial_until_it_is_ready() -> None:
    trial = Versions(proved="1").offered("2")

    assert (trial.current, trial.ready()) == ("2", Versions(proved="2"))


def test_a_version_that_is_not_ready_in_time_gives_way_to_the_one_that_was() -> None:
    assert Versions(proved="1").offered("2").begun().refused() == Versions(proved="1")


def test_the_first_version_is_started_again_for_ever_as_there_is_no_way_back() -> None:
    first = Versions().offered("1")
    for _ in range(TRIAL_STARTS * 3):
        first = first.begun()

    assert (first.current, first.exhausted, first.refused()) == ("1", False, first)


def test_starts_that_nobody_saw_the_end_of_are_counted() -> None:
    trial = Versions(proved="1").offered("2")
    for _ in range(TRIAL_STARTS):
        trial = trial.begun()

    assert trial.exhausted


@given(st.lists(EVENTS, max_size=40))
def test_the_version_to_go_back_to_was_ready_once_whatever_happens(events: list[str]) -> None:
    state, ready, made = Versions().offered("0"), set[str](), 0
    for event in events:
        if event == "new":
            made += 1
            state = state.offered(str(made))
        elif event == "ready":
            ready.add(str(state.current))
            state = state.ready()
        elif event == "too late":
            state = state.refused()
        else:
            state = state.begun()
        assert state.current is not None
        assert state.proved is None or state.proved in ready


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "versions.json"
    write(file, Versions(proved="1", trial="2", starts=2))

    assert read(file) == Versions(proved="1", trial="2", starts=2)
    assert [path.name for path in tmp_path.iterdir()] == ["versions.json"]


@pytest.mark.parametrize("text", ["", "{}", '{"v": 2}', '{"v": 1, "other": 1}', "[]", "\x00"])
def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path, text: str) -> None:
    file = tmp_path / "versions.json"
    file.write_text(text)

    with pytest.raises(VersionsError, match=r"versions\.json: .*install the bundle again"):
        read(file)


@pytest.mark.parametrize(
    ("other_site", "kept"),
    [('{"v": 1, "proved": "1"}', True), ('{"v": 1, "proved": "2", "trial": "1"}', True),
     ("damaged", True), ('{"v": 1, "proved": "2"}', False)],
)  # fmt: skip
def test_what_another_site_of_the_device_runs_or_may_run_is_kept(
    tmp_path: Path, other_site: str, kept: bool
) -> None:
    versions, mine, other = (tmp_path / name for name in ("v", "a/launcher", "b/launcher"))
    for folder in (versions / "1", mine, other):
        folder.mkdir(parents=True)
    (other / "versions.json").write_text(other_site)

    remove("1", versions, mine)

    assert (versions / "1").is_dir() == kept

"""Two runs beside each other: the machine cancels out, noise is no change, a loss ends 1."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.compare import CannotCompareError, compare, main


def rows(rates, method="fanfold", scenario="noop", **more):
    return [
        {"scenario": scenario, "workers": 2, "method": method, "round": number,
         "images_per_s": rate, **more}
        for number, rate in enumerate(rates)
    ]  # fmt: skip


def run(fanfold, control=()):
    return rows(fanfold) + rows(control, "raw_loop")


def verdict(before, after, within=0.05):
    [found] = compare(before, after, within)
    return found.measure, found.verdict


def test_a_slower_machine_is_no_slower_program():
    assert verdict(run([90, 91, 92], [100, 100, 100]), run([45, 46, 45], [50, 50, 50])) == (
        "÷ raw_loop",
        "same",
    )


def test_a_loss_beyond_the_share_and_the_noise_is_slower():
    before = run([90, 91, 92], [100, 100, 100])

    assert verdict(before, run([80, 81, 80], [100, 100, 100]))[1] == "slower"
    assert verdict(before, run([80, 95, 80], [100, 100, 100]))[1] == "same"
    assert verdict(before, run([88, 88, 88], [100, 100, 100]))[1] == "same"
    assert verdict(before, run([99, 99, 99], [100, 100, 100]))[1] == "faster"


def test_without_a_control_in_both_the_rate_is_compared_and_said():
    assert verdict(run([90, 91, 92], [100, 100, 100]), run([45, 46, 45])) == ("images/s", "slower")


def test_fewer_than_three_rounds_prove_nothing():
    assert verdict(run([90, 90]), run([10, 10]))[1] == "unproven"


@given(st.lists(st.floats(1, 1e4), min_size=3, max_size=6))
def test_a_run_is_the_same_as_itself(rates):
    assert verdict(run(rates, rates), run(rates, rates))[1] == "same"


def test_runs_with_nothing_in_common_cannot_be_compared():
    with pytest.raises(CannotCompareError, match="in common"):
        compare(rows([1, 2, 3]), rows([1, 2, 3], scenario="real"), 0.05)


def test_folders_are_compared_and_a_loss_is_the_exit_code(tmp_path, capsys):
    for name, rates in (("before", [90, 91, 92]), ("after", [50, 51, 50])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "noop.json").write_text(json.dumps(run(rates, [100, 100, 100])))

    assert main([str(tmp_path / "before"), str(tmp_path / "before")]) == 0
    assert main([str(tmp_path / "before"), str(tmp_path / "after"), "--json"]) == 1
    told = capsys.readouterr().out
    assert json.loads(told[told.index("{") :])["compared"][0]["verdict"] == "slower"


@pytest.mark.parametrize(
    ("content", "named"),
    [("", "cannot be read"), ("{}", "no rows"), ('[{"scenario": 1}]', "not one of fanfold bench")],
)
def test_what_is_no_run_is_a_sentence(tmp_path, capsys, content, named):
    (tmp_path / "a.json").write_text(content)

    assert main([str(tmp_path / "a.json"), str(tmp_path / "a.json")]) == 2
    assert named in capsys.readouterr().err

"""The report claims nothing that its rounds do not show."""

import json

import pytest
from every import every

from bench.report import write_report
from bench.targets import targets


def row(method, number, rate, workers=2, **more):
    return {
        "method": method, "round": number, "images_per_s": rate, "total_s": 100 / rate,
        "images": 100, "scenario": "real", "workers": workers, "simulated": False,
        "busy_share": 0.99, "path_pss_kb": 80_000, "workers_pss_kb": 400_000,
        "stages_ms": {"transform": {"p50": 8.0, "p90": 9.0, "p99": 10.0}}, **more,
    }  # fmt: skip


def rounds(method, number, rate, **more):
    return [row(method, n, rate, **more) for n in range(number)]


def report(folder, number, ratio):
    rows = rounds("fanfold", number, 10 * ratio) + rounds("article_pool", number, 10)
    (folder / "real.json").write_text(json.dumps(rows))
    return write_report(folder, folder / "REPORT.md").read_text()


def outcomes(scenario, rows):
    return {target.what: target.outcome for target in targets(scenario, rows)}


@pytest.fixture
def text_only(monkeypatch):
    """Pictures take seconds and have a test of their own."""
    monkeypatch.setattr("bench.report.draw", lambda *_: [])


@pytest.mark.usefixtures("text_only")
def test_three_steady_rounds_decide_a_target(tmp_path):
    line = "| real N=2: fanfold ÷ article_pool | ≥ 1 | 1.1 [1.1–1.1] | yes |"
    assert line in report(tmp_path, 3, 1.1)


@pytest.mark.usefixtures("text_only")
def test_a_missed_target_is_said(tmp_path):
    assert "| 0.9 [0.9–0.9] | **no** |" in report(tmp_path, 3, 0.9)


@pytest.mark.usefixtures("text_only")
def test_one_round_proves_nothing(tmp_path):
    assert "unproven (1 rounds" in report(tmp_path, 1, 1.1)


def test_every_plot_of_the_report_is_a_picture_beside_it(tmp_path):
    text = report(tmp_path, 3, 1.1)

    pictures = sorted(p.name for p in (tmp_path / "plots").glob("*.svg"))
    assert pictures == ["real-breakdown.svg", "real-stages.svg", "real-total.svg"]
    assert every(f"](plots/{name})" in text for name in pictures)
    assert "article_pool" in (tmp_path / "plots" / "real-total.svg").read_text()


def test_two_workers_are_compared_with_one_of_the_same_rounds():
    rows = rounds("fanfold", 3, 10, workers=1) + rounds("fanfold", 3, 18, workers=2)

    assert outcomes("real", rows)["real: own N=2 ÷ N=1"] == "**no**"


def test_the_compiled_package_is_held_against_the_articles_pool_and_half_a_gigabyte():
    rows = rounds("article_pool", 3, 10) + rounds("fanfold compiled", 3, 19)
    found = outcomes("real", rows)

    assert found["real N=2: fanfold compiled ÷ article_pool"] == "yes"
    assert found["real N=2: two workers with the compiled package, MB PSS"] == "yes"


@pytest.mark.parametrize(("total_s", "outcome"), [(1.0, "yes"), (1.2, "**no**")])
def test_simulated_accelerators_are_held_against_the_ideal_time(total_s, outcome):
    rows = rounds("fanfold", 3, 100, workers=4)
    rows = [{**r, "ideal_s": 0.95, "total_s": total_s} for r in rows]

    assert outcomes("simulated", rows)["simulated N=4, simulated: share of the ideal"] == outcome


def test_more_accelerators_than_the_processor_can_feed_have_no_ideal_of_their_own():
    rows = [{**r, "ideal_s": 0.5} for r in rounds("fanfold", 3, 100, workers=8)]
    rows += rounds("article_pool", 3, 50, workers=8)

    only = "simulated N=8: fanfold ÷ article_pool (ideal: 4 [4–4])"
    assert list(outcomes("simulated", rows)) == [only]

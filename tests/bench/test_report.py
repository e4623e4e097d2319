"""The report claims nothing that its rounds do not show."""

import json

from bench.report import write_report


def row(method, number, rate):
    return {
        "method": method, "round": number, "images_per_s": rate, "scenario": "real", "workers": 2,
        "simulated": False, "busy_share": 0.99, "path_pss_kb": 80_000,
    }  # fmt: skip


def report(folder, rounds, ratio):
    rows = [
        row(method, n, rate)
        for n in range(rounds)
        for method, rate in (("fanfold", 10 * ratio), ("article_pool", 10))
    ]
    (folder / "real-2.json").write_text(json.dumps(rows))
    return write_report(folder, folder / "REPORT.md").read_text()


def test_three_steady_rounds_decide_a_target(tmp_path):
    assert "| real N=2 / article_pool | ≥ 1.0 | 1.1 [1.1–1.1] | yes |" in report(tmp_path, 3, 1.1)


def test_a_missed_target_is_said(tmp_path):
    assert "| 0.9 [0.9–0.9] | **no** |" in report(tmp_path, 3, 0.9)


def test_one_round_proves_nothing(tmp_path):
    assert "unproven (1 rounds" in report(tmp_path, 1, 1.1)

"""The measurement of custody runs each of its ways the same number of times."""

from __future__ import annotations

from bench.custody import WAYS, Load, main, measure


def test_every_way_is_measured_in_every_round(tmp_path):
    found = measure(tmp_path, 2, Load(manifests=2, files=3, kib=1))

    assert {way: len(values) for way, values in found.items()} == dict.fromkeys(WAYS, 2)
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"


def test_the_table_has_a_line_for_each_way(tmp_path, capsys):
    options = ["--rounds", "1", "--manifests", "1", "--files", "2", "--kib", "1"]

    assert main(["--folder", str(tmp_path), *options]) == 0
    assert [line.split("|")[1].strip() for line in capsys.readouterr().out.splitlines()[2:]] == [
        *WAYS
    ]

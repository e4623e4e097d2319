"""The judge itself: it sees what is wrong, and a picture says who it is."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from chaos_oracle import Sent, judge
from chaos_pictures import code_of, picture

SENT = {name: Sent(f"{name}.png", code_of(name)) for name in "abc"}


def record(seq: int, name: str, **more: Any) -> dict[str, Any]:
    output = {"seen": code_of(name)}
    found = {"stream": "s", "seq": seq, "id": name, "file": f"{name}.png", "status": "ok"}
    return {**found, "output": output, **more}


def test_a_clean_run_is_clean_also_when_something_is_sent_again() -> None:
    verdict = judge(SENT, [record(1, "a"), record(2, "b"), record(2, "b"), record(3, "c")])
    assert verdict.clean
    assert verdict.resent == 1


def test_what_is_missing_twice_or_out_of_order_is_named() -> None:
    verdict = judge(SENT, [record(2, "a"), record(1, "b"), record(3, "a")])
    assert (set(verdict.missing), set(verdict.duplicated)) == ({"c"}, {"a"})
    assert verdict.out_of_order == 1
    assert not verdict.clean


def test_numbers_of_another_epoch_are_other_keys() -> None:
    again = [record(n, name, epoch="e2") for n, name in enumerate("bc", 1)]
    assert judge(SENT, [record(1, "a", epoch="e1"), *again]).clean
    assert judge(SENT, [*again, record(1, "b", epoch="e1")]).duplicated == {"b"}


def test_a_result_of_other_pixels_or_of_another_file_is_wrong_content() -> None:
    wrong_pixels = record(1, "a", output={"seen": code_of("b")})
    wrong_file = record(2, "b", file="c.png")
    verdict = judge(SENT, [wrong_pixels, wrong_file, record(3, "c")])
    assert verdict.wrong_content == {"a", "b"}


def test_a_gap_whose_record_follows_is_in_order_and_one_without_is_open() -> None:
    gap = {"stream": "s", "seq": 1, "status": "gap"}
    late = judge(SENT, [gap, record(2, "b"), record(3, "c"), record(1, "a")])
    assert late.clean
    assert late.gaps == 1
    assert judge(SENT, [gap, record(2, "b"), record(3, "c")]).open_gaps == 1


def test_a_key_that_says_two_things_is_a_contradiction_and_a_lost_number_is_no_image() -> None:
    lost = {"stream": "s", "seq": 1, "status": "dropped", "reason": "journal_lost"}
    whole = [record(1, "a"), record(2, "b"), record(3, "c")]
    assert judge(SENT, [*whole, lost]).contradicted == {("", "s", 1)}
    assert judge(SENT, [*whole, {**lost, "epoch": "later"}]).clean
    assert judge(SENT, [lost, *whole[1:]]).missing == {"a"}


def test_a_failure_without_a_cause_is_wrong_and_so_is_poison_that_succeeds() -> None:
    failed = record(1, "a", status="failed", reason="killed_workers")
    rest = [record(2, "b"), record(3, "c")]
    assert judge(SENT, [failed, *rest]).wrongly_failed == {"a"}
    poison = {**SENT, "a": Sent("a.png", code_of("a"), fatal=True)}
    assert judge(poison, [failed, *rest]).clean
    assert judge(poison, [record(1, "a"), *rest]).wrongly_failed == {"a"}


def test_a_picture_is_a_png_that_shows_its_code() -> None:
    code = code_of("a")
    content = picture(code)
    at = content.index(b"IDAT")
    (length,) = struct.unpack(">I", content[at - 4 : at])
    raw = zlib.decompress(content[at + 4 : at + 4 + length])
    rows = [raw[y * 25 + 1 : (y + 1) * 25] for y in range(8)]
    bits = "".join("1" if row[x * 3] else "0" for row in rows for x in range(8))
    assert f"{int(bits, 2):016x}" == code

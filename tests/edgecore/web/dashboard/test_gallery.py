"""Which images of which streams the gallery shows."""

from __future__ import annotations

from page_messages import T, record

from edgecore.web.dashboard.gallery import KEPT, MAX_DETAIL, SHOWN, UNSAMPLED, Gallery
from edgecore.web.dashboard.streams import MAX_STREAMS, StreamTable


def places(gallery: Gallery) -> list[tuple[str, int]]:
    return [(e["stream"], e["seq"]) for e in gallery.latest()]


def test_every_stream_gets_the_same_places_in_the_order_of_their_names() -> None:
    gallery = Gallery()
    for n in range(100):
        gallery.offer(record(n, stream="b-fast"), T + n)
    for n in range(3):
        gallery.offer(record(n, stream="a-slow"), T + n)

    fast = [("b-fast", n) for n in (99, 98, 97, 96, 95, 94)]
    assert places(gallery) == [("a-slow", 2), ("a-slow", 1), ("a-slow", 0), *fast]


def test_with_more_streams_than_places_the_last_seen_are_shown() -> None:
    gallery = Gallery()
    for n in range(SHOWN + 5):
        gallery.offer(record(1, stream=f"s{n:02}"), T + n)

    assert places(gallery) == [(f"s{n:02}", 1) for n in range(5, SHOWN + 5)]


def test_a_fast_stream_is_sampled_but_its_failures_are_kept_and_shown() -> None:
    gallery = Gallery()
    for n in range(50):
        gallery.offer(record(n), T + n / 1000)
    gallery.offer(record(50, status="failed", reason="truncated"), T + 0.051)
    for n in range(60, 100):
        gallery.offer(record(n), T + n)

    assert places(gallery)[:3] == [("cam1", 99), ("cam1", 50), ("cam1", 98)]


def test_pictures_go_on_at_once_though_the_clock_was_set_back_an_hour() -> None:
    gallery = Gallery()
    for seq in range(1, UNSAMPLED + 1):
        gallery.offer(record(seq), T + seq)

    assert gallery.offer(record(99), T - 3600)


def test_the_gallery_stays_small() -> None:
    gallery = Gallery()
    for n in range(KEPT * 2):
        gallery.offer(record(n), T + n)

    assert gallery.get("cam1", 0) is None
    assert gallery.get("cam1", KEPT * 2 - 1) is not None


def test_the_least_recently_seen_stream_is_forgotten_first() -> None:
    table = StreamTable()
    for n in range(MAX_STREAMS + 1):
        table.results(f"s{n}", {"ok": 1}, 1, T + n)

    assert len(table) == MAX_STREAMS
    assert "s0" not in {s["name"] for s in table.top()}


def test_a_streams_first_results_are_all_shown_and_a_fast_stream_is_then_sampled() -> None:
    gallery = Gallery()

    kept = [gallery.offer(record(seq), T + seq / 100) for seq in range(1, 31)]

    assert kept == [True] * SHOWN + [False] * (30 - SHOWN)
    assert gallery.offer(record(31), T + 10)


def test_a_failed_image_says_why_in_words_of_bounded_length() -> None:
    gallery = Gallery()
    gallery.offer(record(1, status="failed", reason="not_an_image", detail="x" * 9000), T)

    (entry,) = gallery.latest()
    assert entry["detail"] == "x" * MAX_DETAIL

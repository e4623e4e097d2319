"""The messages page shows messages that the parts really take, and every reason there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from contract import messages as m

PAGE = Path(__file__).parents[2] / "docs" / "spec" / "messages.md"
TEXT = PAGE.read_text("utf-8")
PARSERS = {
    "## Splitter → worker": m.parse_work,
    "## Worker → aggregator": m.parse_done,
    "## Aggregator → splitter": m.parse_ack,
    "## Worker → splitter": m.parse_heartbeat,
    "## Control": m.parse_control,
}


def section(title: str) -> str:
    return TEXT.split(title, 1)[1].split("\n## ", 1)[0]


def examples(title: str) -> list[bytes]:
    """The section's JSON objects; `…` stands for a hash that does not fit the page."""
    block = re.search(r"^```json\n(.*?)^```", section(title), re.DOTALL | re.MULTILINE)
    assert block
    text, found, decoder = block.group(1).strip(), [], json.JSONDecoder()
    while text:
        value, end = decoder.raw_decode(text)
        found.append(json.dumps(value).encode())
        text = text[end:].strip()
    return found


@pytest.mark.parametrize("title", PARSERS)
def test_each_example_is_a_message_that_its_receiver_takes(title):
    for example in examples(title):
        PARSERS[title](example)


@pytest.mark.parametrize(
    ("title", "start", "reasons"),
    [
        ("## Accepted, rejected", "Reasons, a closed set:", m.REJECTED_REASONS),
        ("## Worker → aggregator", "`reason` (closed set:", m.FAILED_REASONS),
        ("## Worker → aggregator", "`dropped` with", m.DROPPED_REASONS),
    ],
)
def test_the_page_names_every_reason_and_no_other(title, start, reasons):
    sentence = re.split(r"[.)]", section(title).split(start, 1)[1].replace("`reason`", ""))[0]

    assert set(re.findall(r"`([a-z_]+)`", sentence)) == set(reasons)

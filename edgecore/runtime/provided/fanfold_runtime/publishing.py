"""Several messages in one packet: AWS's client, one call for each message, has no word for it."""

import base64
import json
import os

from fanfold_runtime.calls import WireError, post_work_request
from fanfold_runtime.context import lru_cache
from fanfold_runtime.wire import wire

TYPE_CHECKING = False  # Python 2.7 has no typing
if TYPE_CHECKING:
    from typing import Iterator, List, Tuple

    from fanfold_runtime.wire import Wire

ROUTER_ARN = "arn:aws:lambda:::function:GGRouter"
PACKET_MESSAGES = 64
"""The core answers while it reads, and nobody reads its answers before the packet is out."""
PACKET_BYTES = 262144


def publish_all(messages):
    # type: (List[Tuple[str, bytes]]) -> List[str]
    """Publish each (topic, payload) as `AllOrError` does; what is said against each, "": taken.

    Raises WireError for a payload above the limit: nothing of its packet was sent. A connection
    that is lost leaves open, as with single calls, what became of the rest.
    """
    said = []  # type: List[str]
    for packet in _packets(messages):
        said += _exchange(wire(), packet)
    return said


def _packets(messages):
    # type: (List[Tuple[str, bytes]]) -> Iterator[List[bytes]]
    """Requests that travel together."""
    packet, size = [], 0  # type: List[bytes], int
    for topic, payload in messages:
        request = post_work_request(ROUTER_ARN, payload, _context(topic), "Event")[0]
        if packet and (len(packet) == PACKET_MESSAGES or size + len(request) > PACKET_BYTES):
            yield packet
            packet, size = [], 0
        packet.append(request)
        size += len(request)
    if packet:
        yield packet


def _exchange(connection, packet):
    # type: (Wire, List[bytes]) -> List[str]
    try:
        connection.send(b"".join(packet))
    except WireError as error:
        return [str(error)] * len(packet)
    return [_answer(connection) for _ in packet]


def _answer(connection):
    # type: (Wire) -> str
    try:
        connection.receive()
    except WireError as error:
        return str(error)
    return ""


@lru_cache(maxsize=1024)
def _context(topic):
    # type: (str) -> str
    source = os.environ.get("MY_FUNCTION_ARN", "")
    custom = {"source": source, "subject": topic, "queueFullPolicy": "AllOrError"}
    return base64.b64encode(json.dumps({"custom": custom}).encode("ascii")).decode("ascii")

"""AWS IoT Core's limits of one connection, and how far below them this core stays.

Source: AWS General Reference, "AWS IoT Core endpoints and quotas" (message broker limits).
"""

from __future__ import annotations

from contract.limits import MESSAGE_BYTES

AWS_PUBLISHES_PER_S = 100
"""In and out together; what goes beyond is dropped without a word."""
AWS_BYTES_PER_S = 524_288
"""512 KB; what goes beyond is delayed."""
AWS_IN_FLIGHT = 100
AWS_CONNECTS_PER_S = 1
"""For one client id."""
MAX_PAYLOAD_BYTES = MESSAGE_BYTES.value
MAX_SUBSCRIPTIONS = 50
MAX_FILTERS_PER_SUBSCRIBE = 8

PUBLISHES_PER_S = 90.0
PUBLISH_BURST = 8.0
"""Rate and burst together stay below AWS's count in any second of this side."""
COUNTED_PER_S = 98
"""In any second of AWS's, which a line that stands still for a while makes another one."""
BYTES_PER_S = 480_000.0

WINDOW_MESSAGES = 20
WINDOW_BYTES = 262_144
"""Enough for the rate above at half a second of round trip, little enough for a slow line."""
SERVICES_IN_FLIGHT = 4
"""Of the server's receive maximum, left for shadows and jobs."""

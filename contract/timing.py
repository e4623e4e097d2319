"""Times that the parts of a group rely on in one another, and the relations that must hold.

Each part has its own clock; what it may conclude from another's silence depends on how often
that one speaks. `RELATIONS` says so as checks: a test evaluates them, and the planner compares
a site's own times with the same constants (FF150, FF151).
"""

from __future__ import annotations

from typing import NamedTuple

# A worker and the aggregator speak this often, whether or not something happened.
HEARTBEAT_S = 1.0
ACK_EVERY_S = 1.0
# A part takes this long a step at most before its clock counts it as a pause.
LONGEST_STEP_S = 1.0
# A publish is tried for so long before the protocol above sends again.
PUBLISH_GIVE_UP_S = 1.0

# A batch that heartbeats in a row do not name, this long after it was sent, was lost on its
# way there or its result on the way back.
ABSENT_AFTER_S = 2.0
ABSENT_HEARTBEATS = 2
# Work sent this long after a worker's last heartbeat may have met a dead worker: it is no
# evidence against an image. After STALE_S nothing more is sent.
DOUBT_S = 1.2
STALE_S = 2.5
# After so long without a heartbeat what the worker holds goes to others too, so that a frozen
# worker, or one that takes its time to start again, costs no gap. Twice computed is cheap, the
# aggregator takes one. Whether it ended is decided when it is heard again, or at its timeout.
MISSED_S = 4.0
# Without the aggregator sending images again helps nobody.
AGGREGATOR_ALIVE_S = 5.0

# Strategy decoupled: an inference function renews its lease, a transform function looks at it.
LEASE_RENEW_S = 0.5
LEASE_LOOK_S = 1.0
LEASE_MISSED_S = 2.0

# An image that is alone on its second worker, where nobody measured how long it takes.
RETRY_S = 1.0
# From a worker's end to the record of what it held: it is missed, and the image computed again.
RECOVERY_S = HEARTBEAT_S + MISSED_S + RETRY_S


class Relation(NamedTuple):
    text: str
    holds: bool


RELATIONS = (
    Relation("one late heartbeat is no doubt: DOUBT_S > HEARTBEAT_S", DOUBT_S > HEARTBEAT_S),
    Relation(
        "a worker that misses two heartbeats gets no work: STALE_S > 2 × HEARTBEAT_S",
        STALE_S > 2 * HEARTBEAT_S,
    ),
    Relation("work stops before it is given to others: STALE_S < MISSED_S", STALE_S < MISSED_S),
    Relation(
        "a lost message is sent again before its worker counts as missed: "
        "ABSENT_AFTER_S + HEARTBEAT_S < MISSED_S",
        ABSENT_AFTER_S + HEARTBEAT_S < MISSED_S,
    ),
    Relation(
        "an aggregator that is slow once is alive: AGGREGATOR_ALIVE_S > 2 × ACK_EVERY_S",
        AGGREGATOR_ALIVE_S > 2 * ACK_EVERY_S,
    ),
    Relation(
        "a pause of one step makes nobody silent: LONGEST_STEP_S < STALE_S, LEASE_MISSED_S",
        min(STALE_S, LEASE_MISSED_S) > LONGEST_STEP_S,
    ),
    Relation(
        "a refused publish ends before the next heartbeat is late: PUBLISH_GIVE_UP_S < DOUBT_S",
        PUBLISH_GIVE_UP_S < DOUBT_S,
    ),
    Relation(
        "a lease is seen renewed at every look: LEASE_RENEW_S < LEASE_LOOK_S",
        LEASE_RENEW_S < LEASE_LOOK_S,
    ),
    Relation(
        "one look too early withdraws nothing: LEASE_RENEW_S + LEASE_LOOK_S < LEASE_MISSED_S",
        LEASE_RENEW_S + LEASE_LOOK_S < LEASE_MISSED_S,
    ),
    Relation(
        "a stopped inference function is passed by before its transform function is missed: "
        "LEASE_MISSED_S < MISSED_S",
        LEASE_MISSED_S < MISSED_S,
    ),
)

"""The type of `GET /api/status` has the keys that a core really answers with."""

from __future__ import annotations

from contract import status
from edgecore.uplink.spooler import Spooler


def test_a_spoolers_numbers_are_those_of_the_type():
    found = Spooler(None, max_bytes=1 << 20, policy="drop_oldest").stats()

    assert set(found) == set(status.SpoolStatus.__annotations__)

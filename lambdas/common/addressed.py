"""Work that the core hands over under a worker's name, and whether this incarnation is meant."""

from __future__ import annotations

from typing import Any

from contract.messages import MessageError, Work, parse_work
from lambdas.common.log import get_logger

_log = get_logger("worker")


def work_for(event: Any, incarnation: str) -> Work | None:
    """The batch or probe in `event`; None: there is nothing to do.

    The core keeps for the next process what an earlier one did not fetch. The splitter gave
    that to others when it heard of the death, and one of its images may have been the cause.
    """
    try:
        work = parse_work(event)
    except (MessageError, TypeError) as error:  # the core hands over any JSON value
        _log.error("work message refused: %s", error)
        return None
    if work.to and work.to != incarnation:
        _log.info("batch %s was for an earlier incarnation, %s", work.batch, work.to)
        return None
    return work

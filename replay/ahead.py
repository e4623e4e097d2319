"""Objects read a few ahead, in order: a bucket takes longer to answer than we with the answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
#: Each object is some hundred kilobytes at most.
READERS = 8


def read_ahead(
    items: Iterable[Item], read: Callable[[Item], bytes]
) -> Iterator[tuple[Item, bytes]]:
    """Raises what `read` raises, at the item's turn."""
    left = iter(items)
    with ThreadPoolExecutor(READERS) as readers:

        def asked(item: Item) -> tuple[Item, Future[bytes]]:
            return item, readers.submit(read, item)

        ahead = deque(map(asked, islice(left, READERS)))
        while ahead:
            item, content = ahead.popleft()
            yield item, content.result()
            ahead.extend(map(asked, islice(left, 1)))

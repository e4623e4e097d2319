"""What was inspected lately, by camera: counts in buckets of some seconds. Pure, bounded."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Collection, Iterable

from edgecore.history.rows import Row

BUCKET_S = 5.0
KEPT_S = 3600.0
MAX_CAMERAS = 500
MAX_LABELS = 64
ALL = ""


class _Camera:
    def __init__(self) -> None:
        self.last: float | None = None
        self.buckets: deque[tuple[float, Counter[str]]] = deque()

    def add(self, row: Row, now: float, watched: Collection[str] = ()) -> None:
        start = now - now % BUCKET_S
        if not self.buckets or self.buckets[-1][0] < start:
            self.buckets.append((start, Counter()))
            while self.buckets[0][0] < now - KEPT_S:
                self.buckets.popleft()
        counts = self.buckets[-1][1]
        counts[f"status {row.status}"] += 1
        for found in row.labels:
            key = f"label {found.label}"
            if key in counts or len(counts) < MAX_LABELS or found.label in watched:
                counts[key] += 1

    def sum(self, since: float) -> Counter[str]:
        total: Counter[str] = Counter()
        for start, counts in self.buckets:
            if start + BUCKET_S > since:
                total.update(counts)
        return total


class Windows:
    """``now`` is of one clock that never jumps."""

    def __init__(self) -> None:
        self._cameras: OrderedDict[str, _Camera] = OrderedDict()
        self.watched: frozenset[str] = frozenset()
        """Labels that rules name: counted however many others there are."""

    def add(self, rows: Iterable[Row], now: float) -> None:
        for row in rows:
            for name in (ALL, row.camera):
                camera = self._cameras.setdefault(name, _Camera())
                camera.add(row, now, self.watched)
                camera.last = now
            if len(self._cameras) > MAX_CAMERAS:
                del self._cameras[next(n for n in self._cameras if n != ALL)]

    def silent_s(self, camera: str, now: float) -> float | None:
        """Since its last result; None: there was none."""
        known = self._cameras.get(camera)
        return None if known is None or known.last is None else now - known.last

    def images(self, camera: str, window_s: float, now: float) -> dict[str, int]:
        """``ok``, ``failed``, ``dropped`` of the last seconds."""
        found = self._sum(camera, window_s, now)
        return {s: found[f"status {s}"] for s in ("ok", "failed", "dropped")}

    def label(self, camera: str, label: str, window_s: float, now: float) -> int:
        """Images of the last seconds with this label."""
        return self._sum(camera, window_s, now)[f"label {label}"]

    def _sum(self, camera: str, window_s: float, now: float) -> Counter[str]:
        known = self._cameras.get(camera)
        return known.sum(now - window_s) if known is not None else Counter()

"""The spool's books: `put = rows + sent + dropped`, always."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Account:
    """What went through this spool since it was created."""

    rows: int = 0
    bytes: int = 0
    put: int = 0  # taken: what was refused is still its owner's
    sent: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    def copy(self) -> Account:
        counters = (self.rows, self.bytes, self.put, self.sent)
        dropped, refused = Counter(self.dropped), Counter(self.refused)
        return Account(*counters, dropped, list(self.gaps), refused)

    def to_json(self) -> str:
        return json.dumps(vars(self))

    @classmethod
    def from_json(cls, text: str) -> Account:
        fields: dict[str, Any] = json.loads(text)
        fields["dropped"] = Counter(fields["dropped"])
        fields["refused"] = Counter(fields.get("refused", {}))  # spools before 0.2 have none
        fields["gaps"] = [(first, last) for first, last in fields["gaps"]]
        return cls(**fields)

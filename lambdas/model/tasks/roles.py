"""Which of a network's outputs is which: by the names and numbers of model.json."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from lambdas.model.errors import ModelError


class Roles:
    """Outputs by role. Raises `ModelError` where model.json names one that is not there."""

    def __init__(self, roles: dict[str, str | int], names: Sequence[str]) -> None:
        """`names`: the network's outputs in order."""
        self._index = {role: _index(role, wanted, names) for role, wanted in roles.items()}

    def __contains__(self, role: str) -> bool:
        return role in self._index

    def index(self, role: str, default: int | None = None) -> int:
        found = self._index.get(role, default)
        if found is None:
            raise ModelError(f"output.{role} is not declared in model.json")
        return found

    def of(
        self, outputs: Sequence[np.ndarray], role: str, default: int | None = None
    ) -> np.ndarray:
        """The output of `role`, or output number `default`."""
        return outputs[self.index(role, default)]


def _index(role: str, wanted: str | int, names: Sequence[str]) -> int:
    if isinstance(wanted, int):
        if 0 <= wanted < len(names):
            return wanted
        raise ModelError(
            f"output.{role} is {wanted}, the network has {len(names)} output(s), numbered from 0"
        )
    if wanted in names:
        return list(names).index(wanted)
    raise ModelError(
        f"output.{role} is {wanted!r}, which is no output of the network; it has {', '.join(names)}"
    )

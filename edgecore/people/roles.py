"""The three roles, each of which may do what the one before may."""

from __future__ import annotations

from enum import IntEnum


class Role(IntEnum):
    """Compare them: ``role >= Role.OPERATOR``."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """As files, pages and the command line write it."""
        return self.name.lower()


WORDS = tuple(role.word for role in Role)


def role_of(word: str) -> Role:
    """Raises ValueError with what there is."""
    if word not in WORDS:
        raise ValueError(f"role {word!r:.40}: pass one of {', '.join(WORDS)}")
    return Role[word.upper()]

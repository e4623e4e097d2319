"""What ends a replay, or sends one shard back to be tried again."""

from __future__ import annotations


class ReplayError(Exception):
    """A sentence for the user: subject, value, limit, remedy."""


class NoPackageError(ReplayError):
    """What was given as the model package is none; another one has to be given."""


class CannotLoadError(ReplayError):
    """The package cannot be loaded where the shard was to run."""


class OverloadedError(ReplayError):
    """The archive or the store refused for longer than a shard waits; nothing is lost."""

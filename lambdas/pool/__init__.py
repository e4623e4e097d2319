"""A pool of worker processes: below one pinned Lambda, or alone (`lambdas.pool.run`)."""

from lambdas.pool.alone import run

__all__ = ["run"]

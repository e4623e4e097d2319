"""The one error of everything that reads, checks or loads a model."""

from __future__ import annotations


class ModelError(ValueError):
    """A model that cannot be used; the text names subject, value and remedy."""

"""Why an image cannot be used. Pure, standard library only."""

from __future__ import annotations


class ImageError(ValueError):
    """`reason`: not_an_image, unsupported, truncated or too_large (docs/spec/messages.md)."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

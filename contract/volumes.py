"""Paths of Fanfold's own inside the volumes that a site gives it (docs/spec/messages.md)."""

from __future__ import annotations

#: Below the images volume: everything there is Fanfold's, and no drop folder.
OWN_FOLDER = ".fanfold"
#: Images that came inside a message lie in `{INBOX}/{stream}/` until their record is committed.
INBOX = f"{OWN_FOLDER}/inbox"
#: Images whose journal was lost, under the stream and the number that they had.
LOST = f"{OWN_FOLDER}/lost"
#: How far the splitter's numbers are, as this volume saw it.
NUMBERS = f"{OWN_FOLDER}/numbers"
#: Second names of images that a canary worker reads; the core's own, gone when they are read.
CANARY = f"{OWN_FOLDER}/canary"
#: Second names of images that are to be kept as samples; the core's own, gone when they are read.
SAMPLES = f"{OWN_FOLDER}/samples"


def kept_name(stream: str, seq: int) -> str:
    """The splitter's own name of a camera's file, as `kept` of a work item has it; an image that
    came inside a message has its suffix behind it."""
    return f"{INBOX}/{stream}/{seq:012d}"

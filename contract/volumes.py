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


#: A file system looks through a folder's block for every name that is made in it, so few names are
#: made and found soon (docs/performance.md); a folder is dearer to make than many names, so each
#: stream keeps the same ones: a hundred numbers in one, the next hundred in the next, in turn. They
#: are so many that a backlog of thousands leaves few names in each.
KEPT_IN_A_ROW = 100
KEPT_FOLDERS = 64


def kept_folder(stream: str, seq: int) -> str:
    """Where the splitter's own name of an image is."""
    return f"{INBOX}/{stream}/{seq // KEPT_IN_A_ROW % KEPT_FOLDERS}"


def kept_name(stream: str, seq: int) -> str:
    """The splitter's own name of a camera's file, as `kept` of a work item has it; an image that
    came inside a message has its suffix behind it."""
    return f"{kept_folder(stream, seq)}/{seq:012d}"


def kept_number(path: str) -> tuple[str, int, str]:
    """Stream, number and suffix of a name of the splitter's; number 0: it is none. An earlier
    version had all names of a stream in one folder: `{INBOX}/{stream}/000000000123.jpg`."""
    stream, _, rest = path[len(INBOX) + 1 :].partition("/")
    folder, _, name = rest.rpartition("/")
    digits, dot, suffix = name.partition(".")
    if not (digits.isascii() and digits.isdigit() and (not folder or folder.isdigit())):
        return stream, 0, ""
    return stream, int(digits), dot + suffix

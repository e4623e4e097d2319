"""The byte code that a function's process makes goes into a folder of its own.

Code folders are content-addressed, and packages may belong to somebody else: both stay as they
are. PYTHONPYCACHEPREFIX for the whole process would do that too, and hide the byte code that
packages were installed with: NumPy and a model runtime, compiled anew by each function, are
seconds of a CPU.

A file of the folder is named by what it was compiled from, not by where that lay: a new
deployment lies elsewhere, and most of its modules are the ones before.
"""

import marshal
import os
import sys
import threading

TYPE_CHECKING = False  # Python 2.7 has no typing
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any, Optional

HEAD_BYTES = 16
"""Before the code in such a file: of what Python and of which source it is."""


def keep_apart(code, folder):
    # type: (str, Optional[str]) -> None
    """From now on modules below `code`, and those without byte code, have theirs in `folder`.

    So have the children of this process, by the modules' places.
    """
    if not folder or sys.version_info < (3, 8):
        return
    from importlib import machinery
    from importlib.util import cache_from_source

    own, one_at_a_time = os.path.join(code, ""), threading.RLock()

    class SeparateCacheLoader(machinery.SourceFileLoader):
        def get_code(self, fullname):
            # type: (str) -> Any
            if self.path.startswith(own) or not os.path.isfile(cache_from_source(self.path)):
                return kept_code(self, fullname, folder)
            with one_at_a_time:
                sys.dont_write_bytecode = True  # or what is out of date would be written there
                try:
                    return super(SeparateCacheLoader, self).get_code(fullname)
                finally:
                    sys.dont_write_bytecode = False

    os.environ["PYTHONPYCACHEPREFIX"] = folder
    of_files = machinery.FileFinder.path_hook(
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (SeparateCacheLoader, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )
    sys.path_hooks.insert(0, of_files)
    sys.path_importer_cache.clear()


def kept_code(loader, fullname, folder):
    # type: (Any, str, str) -> CodeType
    """The module's code, from `folder` or compiled and left there where it can be."""
    import _imp
    from importlib import util

    source = loader.get_data(loader.path)
    head = util.MAGIC_NUMBER + b"\3\0\0\0" + util.source_hash(source)
    level = "-O%d" % sys.flags.optimize if sys.flags.optimize else ""
    name = "%s.%s%s.pyc" % (fullname, head[8:].hex(), level)
    path = os.path.join(folder, sys.implementation.cache_tag or "", name)
    found = _read(path, head)
    if found is not None:
        _imp._fix_co_filename(found, loader.path)
        return found
    compiled = loader.source_to_code(source, loader.path)  # type: CodeType
    # Whole or not at all, as all of Python's own; a folder that is full only costs time.
    loader.set_data(path, head + marshal.dumps(compiled))
    return compiled


def _read(path, head):
    # type: (str, bytes) -> Optional[CodeType]
    """None: it is not there, or is no code of that source and this Python."""
    try:
        with open(path, "rb") as file:
            kept = file.read()
        # As Python reads its own: who can write there can write what this process runs anyhow.
        found = marshal.loads(kept[HEAD_BYTES:]) if kept.startswith(head) else None  # noqa: S302
    except (OSError, EOFError, ValueError, TypeError):  # what a power cut leaves
        return None
    return found if isinstance(found, type(_read.__code__)) else None

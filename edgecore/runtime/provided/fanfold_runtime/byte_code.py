"""The byte code that a function's process makes goes into a folder of its own.

Code folders are content-addressed, and packages may belong to somebody else: both stay as they
are. PYTHONPYCACHEPREFIX for the whole process would do that too, and hide the byte code that
packages were installed with: NumPy and a model runtime, compiled anew by each function, are
seconds of a CPU.
"""

import os
import sys
import threading

TYPE_CHECKING = False  # Python 2.7 has no typing
if TYPE_CHECKING:
    from typing import Any, Optional


def keep_apart(code, folder):
    # type: (str, Optional[str]) -> None
    """From now on modules below `code`, and those without byte code, have theirs in `folder`.

    So have the children of this process.
    """
    if not folder or sys.version_info < (3, 8):
        return
    from importlib import machinery
    from importlib.util import cache_from_source

    usual, one_at_a_time = sys.pycache_prefix, threading.RLock()
    own = os.path.join(code, "")

    class SeparateCacheLoader(machinery.SourceFileLoader):
        def get_code(self, fullname):
            # type: (str) -> Any
            with one_at_a_time:
                installed = not self.path.startswith(own) and os.path.isfile(
                    cache_from_source(self.path)
                )
                sys.pycache_prefix = usual if installed else folder
                sys.dont_write_bytecode = installed
                try:
                    return super(SeparateCacheLoader, self).get_code(fullname)
                finally:
                    sys.pycache_prefix, sys.dont_write_bytecode = usual, False

    os.environ["PYTHONPYCACHEPREFIX"] = folder
    of_files = machinery.FileFinder.path_hook(
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (SeparateCacheLoader, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )
    sys.path_hooks.insert(0, of_files)
    sys.path_importer_cache.clear()

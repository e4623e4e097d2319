"""The byte code of a function's own files goes into a folder of its own.

A code folder is content-addressed and stays as it is. PYTHONPYCACHEPREFIX for the whole process
would do that too, and hide the byte code that the interpreter's packages were installed with:
NumPy and a model runtime, compiled anew by each function, are seconds of a CPU.
"""

import os
import sys
import threading

TYPE_CHECKING = False  # Python 2.7 has no typing
if TYPE_CHECKING:
    from typing import Any, Optional


def keep_apart(code, folder):
    # type: (str, Optional[str]) -> None
    """From now on modules below `code` have their byte code in `folder`; so do the children's."""
    if not folder or sys.version_info < (3, 8):
        return
    from importlib import machinery

    usual, one_at_a_time = sys.pycache_prefix, threading.RLock()

    class Apart(machinery.SourceFileLoader):
        def get_code(self, fullname):
            # type: (str) -> Any
            # A thread that imports a package meanwhile finds or leaves its byte code there too.
            with one_at_a_time:
                sys.pycache_prefix = folder
                try:
                    return super(Apart, self).get_code(fullname)
                finally:
                    sys.pycache_prefix = usual

    os.environ["PYTHONPYCACHEPREFIX"] = folder
    of_files = machinery.FileFinder.path_hook(
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (Apart, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )

    def below(path):
        # type: (str) -> Any
        if os.path.join(path, "").startswith(os.path.join(code, "")):
            return of_files(path)
        raise ImportError("not the function's own")

    sys.path_hooks.insert(0, below)
    sys.path_importer_cache.clear()

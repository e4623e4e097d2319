"""Started by the core inside a function's process: ``python -u bootstrap.py MODULE.FUNCTION``.

Python 2.7 and 3.6 or newer, standard library only. The working directory is the function's code.
"""

import os
import sys

PROVIDED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "provided")


def main():
    # type: () -> int
    # By path, not by package: the function's interpreter has no edgecore, and must not find one.
    sys.path[0] = os.getcwd()
    sys.path.append(PROVIDED)
    from fanfold_runtime.main import run

    return run(sys.argv[1])


if __name__ == "__main__":
    sys.exit(main())

#!/bin/sh
# ./install.sh --site line-3.join: installs this bundle on the device. --help names the rest.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${FANFOLD_PYTHON:-$(command -v python@VERSION@ || true)}
if [ -z "$python" ]; then
    echo "install.sh: this bundle is for Python @VERSION@, which is not on the PATH; install it, or set FANFOLD_PYTHON" >&2
    exit 1
fi
exec "$python" "$here/lib/run_install.py" --bundle "$here" "$@"

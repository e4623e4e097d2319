#!/bin/sh
# /opt/fanfold/uninstall.sh [--purge]: removes Fanfold from the device; --purge: its state too.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "${FANFOLD_PYTHON:-python@VERSION@}" "$here/lib/run_uninstall.py" "$@"

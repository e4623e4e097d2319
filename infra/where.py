"""Where Fanfold's own files are: in a checkout beside the packages, in a wheel inside of them."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGES = Path(__file__).resolve().parents[1]
"""The folder that holds `infra`, `edgecore`, `lambdas`, …"""
_SHIPPED = PACKAGES / "infra" / "shipped"
INSTALLED = _SHIPPED.is_dir()
PROJECT = _SHIPPED if INSTALLED else PACKAGES
"""The folder that holds app.py, cdk.json, package.json, device_profiles/, schemas/ and sites/."""
ON_DEVICE = ("contract", "lambdas", "models")


def python_path() -> str:
    """PYTHONPATH for a process of this interpreter that must find these packages.

    Where they are installed it finds them anyway, and a copy of its whole site-packages in that
    variable would reach other interpreters too.
    """
    own = None if INSTALLED else str(PACKAGES)
    return os.pathsep.join(filter(None, [own, os.environ.get("PYTHONPATH")]))


def device_packages(cache: Path) -> Path:
    """A folder to start the device's interpreter in: it holds `lambdas` and `models`.

    In a checkout that is the checkout. Installed, the packages lie among those of another
    interpreter, so `cache` gets links to the few that a device needs.
    """
    if not INSTALLED:
        return PACKAGES
    cache.mkdir(parents=True, exist_ok=True)
    for name in ON_DEVICE:
        link, target = cache / name, PACKAGES / name
        if target.is_dir() and not (link.is_symlink() and link.readlink() == target):
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    return cache

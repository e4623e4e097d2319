"""Where Fanfold's own files are: in a checkout beside the packages, in a wheel inside of them."""

from __future__ import annotations

from pathlib import Path

PACKAGES = Path(__file__).resolve().parents[1]
"""The folder that holds `infra`, `edgecore`, `lambdas`, …"""
_SHIPPED = PACKAGES / "infra" / "shipped"
INSTALLED = _SHIPPED.is_dir()
PROJECT = _SHIPPED if INSTALLED else PACKAGES
"""The folder that holds app.py, cdk.json, package.json, device_profiles/, schemas/ and sites/."""

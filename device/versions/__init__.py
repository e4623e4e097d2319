"""Versions of the core on a device: how one is installed, and which of them runs."""

"""Putting a bundle onto a device: versions of the core, folders, a user, units."""

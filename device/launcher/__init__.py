"""The process that never ends: starts the core, and goes back to the version that proved itself."""

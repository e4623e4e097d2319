"""The part of the core that lives inside a function's process."""

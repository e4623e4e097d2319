"""Python versions that the core and its components run on."""

CORE_PYTHONS = ("3.10", "3.11", "3.12", "3.13")
"""As `requires-python` of the core says, and as there are wheels of every model runtime."""

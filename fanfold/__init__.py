"""The command line: one small file per verb below ``verbs/``, what they share beside it."""

__version__ = "0.1.0"

"""Fanfold's command line: one small module per verb below `verbs/`."""

__version__ = "0.1.0"

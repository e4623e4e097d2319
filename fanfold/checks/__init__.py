"""The doctor's checks: each one function, each answer a sentence and, when needed, a fix."""

from fanfold.checks.interpreters import INTERPRETERS
from fanfold.checks.machine import MACHINE
from fanfold.checks.outcome import Check, Outcome, Subject
from fanfold.checks.site import SITE
from fanfold.checks.tools import TOOLS

ALL: tuple[Check, ...] = (*INTERPRETERS, *TOOLS, *MACHINE, *SITE)

__all__ = ["ALL", "Check", "Outcome", "Subject"]

"""What a check says, and the exception that carries what is wrong with an input file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning", "info"]
_ORDER: dict[Level, int] = {"error": 0, "warning": 1, "info": 2}

# What reading a file finds; the rules of a plan have theirs in checks/.
INPUT_CODES = {
    "FF001": "A file cannot be read.",
    "FF002": "A file is not YAML, or not `key: value` lines.",
    "FF003": "A key is not known.",
    "FF004": "A value is of the wrong type or unit, or out of range.",
    "FF005": "A key is missing.",
    "FF006": "Values that are each valid contradict one another.",
    "FF007": "A site names a profile that does not exist.",
    "FF008": "The requested site does not exist.",
    "FF009": "The CDK refuses a site's stack.",
    "FF162": "The AWS IoT policy of a site's cores is longer than AWS takes.",
    "FF165": "A runtime archive of target v2 is not there.",
    "FF176": "The bundle that target iot is to bring is not there.",
    "FF170": "A deployment's document is larger than the nucleus takes.",
    "FF171": "A value of a component's configuration is longer than nucleus lite takes.",
    "FF172": "A recipe is larger than AWS takes.",
    "FF173": "A recipe's script holds braces that are no variable.",
    "FF174": "A component depends HARD on the token exchange service.",
    "FF175": "A component has no run.",
    "FF010": "Two sites of one account and region use the same thing.",
    "FF011": "A box of one site has the name of another.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know about an input or a plan.

    `subject` is what it is about (`sites/a.yaml:7: workers`, `function w3`), `message` says value
    and limit, `remedy` what to change. An `error` stops a deployment; the others do not.
    """

    code: str
    level: Level
    subject: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.code} {self.level}: {self.subject}: {self.message} {self.remedy}".rstrip()


class InvalidInput(ValueError):  # noqa: N818 - it is the input that is in error, not the program
    """A profile or a site cannot be used; `findings` holds everything wrong with it at once."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Only those that stop a deployment."""
    return [finding for finding in findings if finding.level == "error"]


def by_weight(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then warnings, then notes; by code within each."""
    return sorted(findings, key=lambda f: (_ORDER[f.level], f.code, f.subject))

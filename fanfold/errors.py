"""What goes wrong, in words for the person at the keyboard, and the exit status that says so.

The exit codes are those of docs/spec/core.md; every verb uses no others.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    DONE = 0
    FAILED = 1
    INVALID = 2
    MISSING = 3
    REFUSED = 4
    INTERRUPTED = 130


class CliError(Exception):
    """A verb cannot go on. `message` names subject, value and limit; `remedy` what to do."""

    def __init__(
        self, message: str, remedy: str = "", exit_code: ExitCode = ExitCode.FAILED
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.exit_code = exit_code


def explain(error: BaseException) -> CliError | None:
    """The parts' own errors as ours; None for what nobody expected.

    The parts do not know the command line, so their exceptions are recognised here, by
    module and name: importing every part to name its exceptions would cost each verb a second.
    """
    if isinstance(error, CliError):
        return error
    known = _BY_NAME.get(f"{type(error).__module__.split('.')[0]}.{type(error).__name__}")
    if known is not None:
        code = getattr(error, "exit_code", known)
        return CliError(str(error), exit_code=ExitCode(code))
    if type(error).__module__.startswith("botocore"):
        return CliError(f"the cloud refused: {error}", _CLOUD_REMEDY, ExitCode.REFUSED)
    if isinstance(error, OSError):
        return CliError(_os_error(error), exit_code=ExitCode.FAILED)
    return None


def _os_error(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


_CLOUD_REMEDY = "Check the credentials and region, or start a local cloud: fanfold devcloud start"
_BY_NAME = {
    "infra.InvalidInput": ExitCode.INVALID,
    "devcloud.DevCloudError": ExitCode.FAILED,
    "edgecore.SourceError": ExitCode.INVALID,
    "models.ModelError": ExitCode.INVALID,
    "lambdas.ModelError": ExitCode.INVALID,
}

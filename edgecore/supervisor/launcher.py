"""From a function to its running process: interpreter, home, environment, token, log."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgecore.core.descriptors import Reserve
from edgecore.core.group import Function, Resource
from edgecore.ipc.tokens import Caller, Tokens
from edgecore.supervisor import process
from edgecore.supervisor.accelerators import Accelerators
from edgecore.supervisor.environment import CommonEnvironment, function_environment
from edgecore.supervisor.executables import own_program, program_name
from edgecore.supervisor.homes import BOOTSTRAP, Homes
from edgecore.supervisor.interpreters import EXECUTABLE_RUNTIME, InterpreterError, Interpreters
from edgecore.supervisor.isolation import away
from edgecore.supervisor.logfiles import LogFile
from edgecore.supervisor.process import Reaper, WorkerProcess

NODE_BOOTSTRAP = Path(__file__).parents[1] / "runtime" / "node" / "bootstrap.js"


class Findings(list[str]):
    """What the operator should know, each sentence once, in the order of its discovery."""

    def add(self, text: str) -> None:
        if text not in self:
            self.append(text)

    def forget(self, text: str) -> None:
        """It no longer holds."""
        if text in self:
            self.remove(text)


@dataclass(kw_only=True)
class Launcher:
    """``findings`` grows by what the operator should know, each once."""

    around: CommonEnvironment
    interpreters: Interpreters
    tokens: Tokens
    reaper: Reaper
    log_dir: Path
    log_space_bytes: int
    homes: Homes
    findings: Findings = field(default_factory=Findings)
    descriptors: Reserve = field(default_factory=Reserve)
    accelerators: Accelerators = field(default_factory=Accelerators)
    started_with: dict[str, Sequence[Resource]] = field(default_factory=dict)
    """By function, what its latest process was given."""
    _logs: dict[str, LogFile] = field(default_factory=dict)

    def settle(self, functions: Sequence[Function]) -> None:
        """Before any `check` of a group: what is decided for all its functions together."""
        self.homes.settle([(function, self._found(function)) for function in functions])

    def _found(self, function: Function) -> str | None:
        try:
            return self.interpreter(function)
        except InterpreterError:
            return None  # `check` says so

    def check(self, function: Function) -> None:
        """Raises InterpreterError or IsolationError for what no restart would repair."""
        self.homes.check(function, self.interpreter(function))

    def interpreter(self, function: Function) -> str:
        """The path that runs ``function``; its own program where it is an executable."""
        if function.lacks:
            raise InterpreterError(function.lacks)
        if function.runtime == EXECUTABLE_RUNTIME:
            return own_program(function)
        if function.runtime is None:
            raise InterpreterError(f"function {function.id}: has no runtime; redeploy it with one")
        found = self.interpreters.find(function.runtime)
        if found.warning:
            self.find(found.warning)
        return found.path

    def isolation_of(self, function: Function) -> str:
        contained = function.isolation == "GreengrassContainer" and self.homes.isolation == "auto"
        return "container" if contained else "none"

    def log(self, function: Function) -> LogFile:
        if function.id not in self._logs:
            path = self.log_dir / f"{function.id}.log"
            self._logs[function.id] = LogFile(path, self.log_space_bytes)
        return self._logs[function.id]

    async def start(self, function: Function, name: str, earlier_end: str) -> WorkerProcess:
        """A new worker. Raises InterpreterError, IsolationError, OSError.

        ``earlier_end``: of the function's latest process that took work (`ending.signal_of`).
        """
        resources = self.homes.resources
        given = await self.accelerators.given(function)
        for finding in given.findings:
            self.find(finding)
        home = self.homes.of(function, self.interpreter(function), given.devices)
        lacking = away(function, self.around.group.resources)
        if lacking and home.isolation == "container":
            raise FileNotFoundError(lacking)
        token = self.tokens.issue(Caller(function.arn, name))
        environment = function_environment(
            function,
            self.around,
            token=token,
            resource_prefix=home.resource_prefix,
            home=home.code,
        )
        environment.update(given.environment)
        environment["FANFOLD_EARLIER_END"] = earlier_end
        # Code folders are content-addressed caches: byte code goes elsewhere.
        environment["FANFOLD_BYTE_CODE"] = home.byte_code
        if function.runtime in ("python2.7", "python3.7"):  # know no other place
            environment["PYTHONDONTWRITEBYTECODE"] = "1"
        command = [*home.prefix, *self._command(function)]
        try:
            worker = await process.start(
                name,
                command,
                cwd=home.cwd,
                environment=environment,
                write_log=self.log(function).write,
                descriptors=self.descriptors,
                identity=home.identity,
            )
        except OSError:
            self.tokens.revoke(name)
            raise
        self.reaper.watch(worker.pid)
        self.started_with[function.arn] = resources
        return worker

    def ended(self, worker: WorkerProcess) -> None:
        """Its token is worth nothing from now on."""
        self.tokens.revoke(worker.name)
        self.reaper.forget(worker.pid)

    def close(self) -> None:
        self.descriptors.close()
        for log in self._logs.values():
            log.close()

    def _command(self, function: Function) -> list[str]:
        """The home's working folder is the function's code: a program is named from there."""
        if function.runtime == EXECUTABLE_RUNTIME:
            own_program(function)
            return [program_name(function), *shlex.split(function.exec_args or "")]
        interpreter = self.interpreter(function)
        handler = function.handler or "handler.handler"
        if str(function.runtime).startswith("nodejs"):
            return [interpreter, str(NODE_BOOTSTRAP), handler]
        return [interpreter, "-u", str(BOOTSTRAP), handler]

    def forget(self, text: str) -> None:
        """The finding no longer holds."""
        self.findings.forget(text)

    def find(self, text: str) -> None:
        """Something that the operator should know; reported once."""
        self.findings.add(text)

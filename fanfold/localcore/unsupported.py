"""A group that Fanfold did not render: what of it the core will not honour, before it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgecore.core.group import Group
from edgecore.core.options import CoreError, Options
from edgecore.daemon.lacking import lacking
from edgecore.daemon.secret_keeper import given_secrets, no_value
from edgecore.sources import SourceError, load
from edgecore.sources.aws_clients import AwsClients
from edgecore.supervisor.executables import own_program
from edgecore.supervisor.interpreters import EXECUTABLE_RUNTIME, InterpreterError, Interpreters
from fanfold.common import output
from fanfold.common.errors import INVALID, UserError


def review(options: Options, noted: Sequence[str] = (), *, strict: bool) -> None:
    """Print each sentence, first those ``noted`` before; with ``strict`` refuse a group with any.

    Raises UserError: it cannot be read, or it is refused.
    """
    try:
        found = [*noted, *not_honoured(options)]
    except (SourceError, CoreError) as error:
        raise UserError(str(error), error.exit_code) from error
    for sentence in found:
        output.warn(sentence)
    if found and strict:
        raise UserError(
            f"{options.group}: {len(found)} things of it will not be honoured (--strict); "
            "run it without --strict to do without them",
            INVALID,
        )


def not_honoured(options: Options) -> list[str]:
    """In the order document, what this core was not given, interpreters."""
    loaded = load(
        options.group,
        state=options.state,
        endpoint_url=options.endpoint_url,
        region=options.region,
        device_certificates=options.device_certificates,
    )
    found = [*loaded.findings, *lacking(loaded.group, options), *_secrets(loaded.group, options)]
    interpreters = Interpreters(options.pythons)
    for function in loaded.group.lambdas:
        try:
            if function.lacks:
                found.append(f"function {function.id} cannot be started: {function.lacks}")
            elif function.runtime == EXECUTABLE_RUNTIME:
                own_program(function)
            elif warning := interpreters.find(function.runtime or "none").warning:
                found.append(warning)
        except InterpreterError as error:
            found.append(f"function {function.id} cannot be started: {error}")
    return list(dict.fromkeys(found))


def _secrets(group: Group, options: Options) -> list[str]:
    """Those that neither the file nor, with a join file, Secrets Manager may give."""
    if options.join is not None:
        return []
    given = (
        set() if options.secrets is None else {v.arn for v in given_secrets(options.secrets, group)}
    )
    return [no_value(resource) for resource in group.secrets if resource.arn not in given]


def options_for(  # noqa: PLR0913 - keyword-only
    source: str,
    state: Path,
    pythons: Mapping[str, str],
    *,
    mqtt_port: str,
    join: Path | None,
    device_certificates: str | None,
    secrets: Path | None,
    variables: Mapping[str, str],
) -> Options:
    """Of the core that will run it, as far as they decide what is honoured."""
    return Options(
        group=source,
        state=state,
        pythons=pythons,
        mqtt_port=None if mqtt_port == "off" else int(mqtt_port),
        join=join,
        device_certificates=device_certificates,
        secrets=secrets,
        endpoint_url=variables.get("AWS_ENDPOINT_URL"),
        region=os.environ.get("AWS_REGION"),
    )


def cloud_of(variables: Mapping[str, str]) -> AwsClients:
    """The APIs that this shell means: the development cloud's where one runs."""
    return AwsClients(
        endpoint_url=variables.get("AWS_ENDPOINT_URL"), region=os.environ.get("AWS_REGION")
    )

"""`fanfold import SOURCE FOLDER`: a V1 group from elsewhere as one folder that the core runs."""

from __future__ import annotations

import tempfile
from pathlib import Path

import typer

from edgecore.sources.aws_clients import AwsClients
from edgecore.sources.errors import SourceError
from fanfold.common import output
from fanfold.common.errors import INVALID, UserError
from fanfold.importing.from_template import Given
from fanfold.importing.reading import read_source


def register(app: typer.Typer) -> None:
    app.command("import")(import_)


def import_(
    source: str = typer.Argument(
        help="A template (YAML, JSON, SAM), a cloud assembly (cdk.out), an on-device group.json, "
        "a greengo.yaml, the folder that AWS's export_ggv1.sh wrote, a group document, or "
        "greengrass:NAME."
    ),
    folder: Path = typer.Argument(help="A new folder for the group document and the code."),
    parameter: list[str] | None = typer.Option(
        None, help="NAME=VALUE of a parameter of the template; repeatable."
    ),
    import_value: list[str] | None = typer.Option(
        None, help="NAME=VALUE of what another stack exports (Fn::ImportValue); repeatable."
    ),
    code: list[str] | None = typer.Option(
        None, help="FUNCTION=PATH: where a function's code is, a folder or a zip; repeatable."
    ),
    region: str | None = typer.Option(None, help="Default: AWS_REGION, else us-east-1."),
    endpoint_url: str | None = typer.Option(None, help="Of an API that is not AWS's own."),
) -> None:
    """Bring a Greengrass V1 group into one folder: group.json, code, and a report.

    REPORT.md lists what the core will not honour and what is missing. Nothing
    runs yet: python -m edgecore --group FOLDER/group.json

    Exit code 2: the source is not understood, or needs a value; 3: it cannot be read.
    Example: fanfold import template.yaml press --parameter CoreName=press
    """
    cloud = AwsClients(endpoint_url=endpoint_url, region=region)
    codes = {name: Path(path) for name, path in _pairs(code).items()}
    with tempfile.TemporaryDirectory(prefix="fanfold-import-") as scratch:
        given = Given(
            scratch=Path(scratch), parameters=_pairs(parameter), imports=_pairs(import_value)
        )
        try:
            imported = read_source(source, cloud, given)
            imported.given(codes)
            sentences = imported.write(folder)
        except SourceError as error:
            raise UserError(str(error), error.exit_code) from error
    for sentence in sentences:
        output.warn(sentence)
    document = imported.document
    output.note(
        f"{folder / 'group.json'}: {len(document.get('Functions') or [])} functions, "
        f"{len(document.get('Subscriptions') or [])} subscriptions, "
        f"{len(document.get('Devices') or [])} devices; {folder / 'REPORT.md'} lists the rest"
    )


def _pairs(given: list[str] | None) -> dict[str, str]:
    pairs = {}
    for text in given or []:
        # An export's name may hold a colon, and a value an equals sign.
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserError(f"{text!r} is not NAME=VALUE", INVALID)
        pairs[name] = value
    return pairs

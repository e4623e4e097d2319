"""`fanfold import SOURCE FOLDER`: a V1 group from elsewhere as one folder that the core runs."""

from __future__ import annotations

from pathlib import Path

import typer

from edgecore.sources.aws_clients import AwsClients
from fanfold.common import output
from fanfold.common.arguments import REGION
from fanfold.importing.given import IMPORT_VALUE, PARAMETER, pairs
from fanfold.importing.reading import imported_from


def register(app: typer.Typer) -> None:
    app.command("import")(import_)


def import_(
    source: str = typer.Argument(
        help="A template (YAML, JSON, SAM), a cloud assembly (cdk.out), an on-device group.json, "
        "a greengo.yaml, the folder that AWS's export_ggv1.sh wrote, a group document, or "
        "greengrass:NAME."
    ),
    folder: Path = typer.Argument(help="A new folder for the group document and the code."),
    parameter: list[str] | None = PARAMETER,
    import_value: list[str] | None = IMPORT_VALUE,
    code: list[str] | None = typer.Option(
        None, help="FUNCTION=PATH: where a function's code is, a folder or a zip; repeatable."
    ),
    region: str | None = REGION,
    endpoint_url: str | None = typer.Option(None, help="Of an API that is not AWS's own."),
    as_json: bool = typer.Option(False, "--json", help="What was written, as one JSON object."),
) -> None:
    """Bring a Greengrass V1 group into one folder: group.json, code, and a report.

    REPORT.md lists what the core will not honour and what is missing. Nothing
    runs yet: python -m edgecore --group FOLDER/group.json

    Exit code 2: the source is not understood, or needs a value; 3: it cannot be read.
    Example: fanfold import template.yaml press --parameter CoreName=press
    """
    cloud = AwsClients(endpoint_url=endpoint_url, region=region)
    codes = {name: Path(path) for name, path in pairs(code).items()}
    with imported_from(source, cloud, pairs(parameter), pairs(import_value)) as imported:
        imported.given(codes)
        sentences = imported.write(folder)
    for sentence in sentences:
        output.warn(sentence)
    kinds = ("functions", "subscriptions", "devices")
    counts = {kind: len(imported.document.get(kind.title()) or []) for kind in kinds}
    group, report = folder / "group.json", folder / "REPORT.md"
    if as_json:
        output.print_json(
            {"v": 1, "group": str(group), "report": str(report), **counts, "notes": sentences}
        )
    said = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    output.note(f"{group}: {said}; {report} lists the rest")

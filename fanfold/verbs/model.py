"""`fanfold model pack | inspect | publish`: model packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from fanfold import output
from fanfold.errors import INVALID, REFUSED, UserError
from fanfold.verbs.devcloud import running_cloud
from lambdas.inference.model_spec import ModelError
from models import package

app = typer.Typer(
    no_args_is_help=True,
    help="Model packages: what a site's `model.s3_uri` points at (docs/spec/model-package.md).",
)


@app.command()
def pack(
    folder: Path = typer.Argument(help="Holds model.json (hashes not needed) and its files."),
    out: Path = typer.Option(Path("model.tar.gz"), help="Where to write the package."),
) -> None:
    """Pack a folder; the same files always give the same bytes.

    Example: fanfold model pack my-model/ --out my-model-1.0.0.tar.gz
    """
    manifest = folder / "model.json"
    try:
        model = json.loads(manifest.read_text(encoding="utf-8"))
        made = package.pack(folder, model, out)
    except FileNotFoundError as error:
        raise UserError(f"{manifest}: no such file. It describes the model.", INVALID) from error
    except (ModelError, ValueError) as error:
        raise UserError(str(error), INVALID) from error
    output.out.print(f"{made.path}  {made.size_bytes} bytes  sha256 {made.sha256}")


@app.command()
def inspect(
    path: Path, as_json: bool = typer.Option(False, "--json", help="As one JSON object.")
) -> None:
    """Verify a package: an archive, complete, every hash right.

    Example: fanfold model inspect build/models/lite0-1.0.0.tar.gz
    """
    found = _inspect(path)
    facts = _facts(found)
    if as_json:
        output.print_json({"v": 1, **facts})
        return
    for name, value in facts.items():
        output.out.print(f"{name:<12} {value}", markup=False)


@app.command()
def publish(
    path: Path,
    bucket: str = typer.Option(help="Bucket; made where it does not exist on a development cloud."),
    aws: bool = typer.Option(False, "--aws", help="AWS, even if a development cloud runs."),
) -> None:
    """Upload a verified package under its content's own key; prints the S3 URI.

    Then: fanfold deploy SITE --model URI
    Example: fanfold model publish lite0-1.1.0.tar.gz --bucket fanfold-demo-models
    """
    _inspect(path)
    typer.echo(upload(path, bucket, aws=aws))


def upload(path: Path, bucket: str, *, aws: bool = False) -> str:
    """Publish to the development cloud where one runs, else to AWS; returns the URI."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    cloud = None if aws else running_cloud()
    client: Any = cloud.client("s3") if cloud else boto3.client("s3")
    try:
        if cloud:
            client.create_bucket(Bucket=bucket)
        with output.working(f"uploading {path.name}, {path.stat().st_size >> 20} MB"):
            return str(package.publish(path, bucket, client))
    except (ClientError, BotoCoreError) as error:
        raise UserError(
            f"s3://{bucket}: {error}. Check the bucket's name, region and your rights to it.",
            REFUSED,
        ) from error


def _inspect(path: Path) -> package.Inspection:
    try:
        return package.inspect(path)
    except ModelError as error:
        raise UserError(str(error), INVALID) from error


def _facts(found: package.Inspection) -> dict[str, Any]:
    wanted = ("name", "version", "runtime", "task", "footprint")
    return {
        "path": str(found.path),
        "sha256": found.sha256,
        "bytes": found.size_bytes,
        **{key: getattr(found.spec, key, None) for key in wanted},
    }


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="model")

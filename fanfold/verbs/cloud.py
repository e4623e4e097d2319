"""`fanfold deploy | destroy SITE`: the real CDK, pointed at the right cloud."""

from __future__ import annotations

import typer

from devcloud import DevCloudError, cdk
from fanfold import output
from fanfold.errors import FAILED, UserError
from fanfold.project import PROJECT, read_site
from fanfold.verbs.devcloud import running_cloud

AWS = typer.Option(
    False, "--aws", help="Use the AWS credentials of this shell even if a development cloud runs."
)
MODEL = typer.Option(None, help="S3 URI of a model package, instead of the site's own.")


def register(app: typer.Typer) -> None:
    app.command("deploy")(deploy)
    app.command("destroy")(destroy)


def deploy(site: str, model: str | None = MODEL, aws: bool = AWS) -> None:
    """Deploy a site: `cdk deploy SITE` (and `cdk bootstrap` before, on a new cloud).

    Goes to the development cloud when one runs here, else to AWS.
    Example: fanfold deploy demo --model s3://bucket/models/lite0/1.1.0.tar.gz
    """
    read_site(site)
    context = ["-c", f"site={site}"]
    if model:
        context += ["-c", f"model={model}"]
    run_cdk(["deploy", site, "--require-approval", "never", *context], aws=aws)


def destroy(site: str, aws: bool = AWS) -> None:
    """Remove a site's stack; deployments are reset first, data is kept.

    Example: fanfold destroy demo
    """
    run_cdk(["destroy", site, "--force", "-c", f"site={site}"], aws=aws)


def run_cdk(arguments: list[str], *, aws: bool, capture: bool = False) -> str:
    """Run the pinned CDK; returns its output when captured. Raises UserError when it fails."""
    cloud = None if aws else running_cloud()
    output.note(f"cdk {' '.join(arguments)}  → {cloud.url if cloud else 'AWS'}")
    try:
        done = cdk(arguments, env=cloud.env() if cloud else {}, project=PROJECT, capture=capture)
    except DevCloudError as error:
        raise UserError(str(error), error.exit_code) from error
    if done.returncode:
        said = f"\n{done.stdout}{done.stderr}" if capture else " (its own words are above)"
        raise UserError(f"cdk {arguments[0]} ended with {done.returncode}{said}", FAILED)
    return (done.stdout or "") + (done.stderr or "")

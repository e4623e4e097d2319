"""`fanfold devcloud`: a cloud on this machine for the real `cdk deploy`."""

from __future__ import annotations

import typer

from devcloud import DEFAULT_PORT, DevCloudError
from devcloud import bootstrap as cdk_bootstrap
from fanfold.cloud.development import required, running_cloud, start_here
from fanfold.common import output
from fanfold.common.errors import MISSING, UserError

app = typer.Typer(
    no_args_is_help=True,
    help="A cloud on this machine for the real `cdk deploy`: moto with the Greengrass types. "
    "Its state is in memory and ends with it.",
)


@app.command()
def start(
    port: int = typer.Option(DEFAULT_PORT, help="Loopback port; 0: any free one."),
    bootstrap: bool = typer.Option(False, help="Also run `cdk bootstrap` (about 10 s, once)."),
    as_json: bool = typer.Option(False, "--json", help="Where it is, as one JSON object."),
) -> None:
    """Start it in the background.

    Example: fanfold devcloud start --bootstrap
    """
    cloud = start_here(port)
    output.note(f"development cloud on {cloud.url} (pid {cloud.pid}); state in memory")
    if bootstrap:
        with output.working("cdk bootstrap"):
            try:
                cdk_bootstrap(cloud)
            except DevCloudError as error:
                raise UserError(str(error), error.exit_code) from error
        output.note("bootstrapped")
    if as_json:
        output.print_json({"v": 1, "url": cloud.url, "pid": cloud.pid, "bootstrapped": bootstrap})


@app.command()
def status(as_json: bool = typer.Option(False, "--json")) -> None:
    """Show whether it runs, and where. Exit code 3: it does not.

    Example: fanfold devcloud status --json
    """
    cloud = running_cloud()
    if as_json:
        output.print_json({"v": 1, "running": cloud is not None, "url": cloud and cloud.url})
    elif cloud:
        output.out.print(f"running on {cloud.url} (pid {cloud.pid})")
    if cloud is None:
        if not as_json:
            output.note("not running")
        raise typer.Exit(MISSING)


@app.command()
def stop(
    as_json: bool = typer.Option(False, "--json", help="What was stopped, as one JSON object."),
) -> None:
    """Stop it; everything deployed to it is gone.

    Example: fanfold devcloud stop
    """
    cloud = required()
    cloud.stop()
    if as_json:
        output.print_json({"v": 1, "url": cloud.url, "pid": cloud.pid, "stopped": True})
    output.note("development cloud stopped")


@app.command()
def env(
    as_json: bool = typer.Option(False, "--json", help="The variables as one JSON object."),
) -> None:
    """Print the variables that point cdk, aws and boto3 at it.

    Example: eval "$(fanfold devcloud env)"
    """
    variables = required().env()
    if as_json:
        output.print_json({"v": 1, "variables": variables})
        return
    for name, value in variables.items():
        typer.echo(f"export {name}={value}")


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="devcloud")

"""Arguments and options that several verbs take, in the same words."""

from __future__ import annotations

import typer

SITE = typer.Argument(help="A site's name.")
SITE_OR_FILE = typer.Argument(help="A site's name (sites/NAME.yaml) or file.")
RUNNING_SITE = typer.Argument(
    None, help="Site whose core is meant; needed only if several cores run here."
)
ONLY_SITE = typer.Argument(None, help="A site's name; needed only if there are several.")
SITE_OPTION = typer.Option(None, "--site", help="The site, where it is not the first word.")
STATE_FOLDER = typer.Option(
    None, "--state", help="State folder of a core that was started with `python -m edgecore`."
)
AWS = typer.Option(False, "--aws", help="AWS, even if a development cloud runs.")
REGION = typer.Option(
    None,
    "--region",
    help="Default: AWS_REGION; an API needs one, for files us-east-1 will do.",
)

"""`fanfold model sign PACKAGE`: for devices that run only what you have signed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from fanfold.common import output
from fanfold.common.errors import INVALID, UserError
from lambdas.model.errors import ModelError
from models import signing


def sign(
    package: Path = typer.Argument(help="A package; it is replaced by the signed one."),
    key: Path = typer.Option(Path("model-key.pem"), help="Your private key (Ed25519, PEM)."),
    new_key: bool = typer.Option(False, "--new-key", help="Make the key first."),
    out: Path | None = typer.Option(None, help="Where to write the signed package."),
    as_json: bool = typer.Option(False, "--json", help="Package and key, as one JSON object."),
) -> None:
    """Sign a package; prints the public key that a device's profile names.

    In the profile: environment: {FANFOLD_MODEL_KEY: …}. Its core then takes no other model.
    Example: fanfold model sign parts-1.0.0.tar.gz --key model-key.pem --new-key
    """
    try:
        if new_key:
            signing.new_key(key)
        made = signing.sign(package, key, out or package)
        public = signing.public_key(key)
    except (ModelError, OSError) as error:
        raise UserError(str(error), INVALID) from error
    if as_json:
        output.print_json(
            {"v": 1, "path": str(made.path), "sha256": made.sha256, "public_key": public}
        )
        return
    output.out.print(f"{made.path}  sha256 {made.sha256}", markup=False)
    output.out.print(f"FANFOLD_MODEL_KEY: {public}", markup=False)


def register(parent: Any) -> None:
    parent.command()(sign)

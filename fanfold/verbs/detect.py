"""`fanfold detect`: a hardware profile of the machine it runs on."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import typer
from ruamel.yaml import YAML

from fanfold.common import output
from fanfold.common.errors import INVALID, UserError
from fanfold.detect.machine import detect as detect_machine
from fanfold.device.interpreters import device_python, version_of
from infra.planning.profile import Profile

SCHEMA = "# yaml-language-server: $schema=../schemas/profile.schema.json\n"


def register(app: typer.Typer) -> None:
    app.command("detect")(detect)


def detect(
    name: str = typer.Argument("detected", help="Name of the profile."),
    into: Path | None = typer.Option(None, help="File to write; else the YAML is printed."),
    as_json: bool = typer.Option(False, "--json", help="The profile as one JSON object."),
) -> None:
    """Write a hardware profile from this machine: CPU, memory, GPUs, device files, isolation.

    No GPU is a normal case. What could not be detected is reported on stderr.
    Example: fanfold detect my-box --into device_profiles/my-box.yaml
    """
    try:
        profile, remarks = detect_machine(name)
        Profile.model_validate_json(json.dumps(profile))
    except ValueError as error:
        raise UserError(f"detect: {error}", INVALID) from error
    for remark in remarks:
        output.note(remark)
    python = device_python()
    version = version_of(python) if python else None
    output.note(f"interpreter of the functions: {version or 'none; run `make setup`'}")
    text = SCHEMA + as_yaml(profile)
    if into is not None:
        _write(into, text)
        output.note(f"written: {into}")
    if as_json:
        output.print_json(profile)
    elif into is None:
        output.out.print(text, end="", markup=False)


def as_yaml(profile: dict[str, Any]) -> str:
    yaml, text = YAML(typ="rt"), io.StringIO()
    yaml.default_flow_style = False
    yaml.width = 4096
    yaml.dump(profile, text)
    return text.getvalue()


def _write(into: Path, text: str) -> None:
    """Never over a file that somebody wrote by hand."""
    if into.exists():
        raise UserError(f"{into} exists already: pass another file, or remove it", INVALID)
    try:
        into.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{into}: {error.strerror}", INVALID) from error

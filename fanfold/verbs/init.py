"""`fanfold init`: a site's file and a profile of this machine, to begin with."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import typer

from contract.topics import NAME_CHARACTERS, is_name
from fanfold.common import output
from fanfold.common.errors import INVALID, UserError
from fanfold.common.first_site import FirstSite, text_of
from fanfold.common.project import PROJECT
from infra.planning import InvalidInput, check, errors, load_site, plan_group

ACCOUNT, REGION = "123456789012", "us-east-1"
NEXT = {
    "v1": ("fanfold plan {0}", "fanfold run {0} --model PACKAGE.tar.gz"),
    "iot": ("fanfold plan {0}", "fanfold provision {0}"),
    "v2": ("fanfold bundle --runtime-zip", "fanfold plan {0}"),
}
#: What a site of target v2 needs beside its file, and `fanfold plan` asks for.
LATER = frozenset({"FF160"})


def register(app: typer.Typer) -> None:
    app.command("init")(init)


def init(
    name: str | None = typer.Argument(None, help="Name of the site; asked for on a terminal."),
    target: str = typer.Option("v1", help="How the group reaches the device: v1, iot or v2."),
    camera: list[str] = typer.Option([], help="Name of a camera; repeat for more; default cam1."),
    images: Path | None = typer.Option(
        None, help="The device's folder of images; asked for; default /srv/fanfold/NAME/images."
    ),
    state: Path | None = typer.Option(
        None, help="The device's folder of journals; default: `state` beside the images."
    ),
    profile: str | None = typer.Option(
        None, help="A profile of device_profiles/ that is there; else one of this machine is made."
    ),
    model: str = typer.Option("", help="S3 URI of the model package; may come later."),
    account: str = typer.Option(ACCOUNT, help="AWS account, 12 digits."),
    region: str | None = typer.Option(
        None, help=f"AWS region; default $AWS_REGION, $AWS_DEFAULT_REGION, {REGION}."
    ),
    thing: str | None = typer.Option(None, help="The core's thing; default NAME-core."),
    folder: Path = typer.Option(
        Path(), help="Where sites/ and device_profiles/ are, or are made; default: here."
    ),
    as_json: bool = typer.Option(False, "--json", help="The two files as one JSON object."),
) -> None:
    """Make a site for this machine: its profile, found by `detect`, and a commented site file.

    Never over a file that is there. Without a terminal nothing is asked: NAME is needed, the rest
    has defaults. Ends with the next two commands. Exit code 2: refused, and nothing is written.
    Example: fanfold init press-7 --camera top --camera side --images /srv/press-7/images
    """
    name = name or _asked("Name of the site", _default_name())
    where = f"/srv/fanfold/{name}/images"
    kept = images or Path(_asked("Folder of the images on the device", where, needed=False))
    made = FirstSite(
        name=name,
        profile=profile or name,
        account=account,
        region=region or os.environ.get("AWS_REGION")
        or os.environ.get("AWS_DEFAULT_REGION") or REGION,
        thing=thing or f"{name}-core",
        target=_target(target),
        cameras=camera or ["cam1"],
        images=str(kept),
        state=str(state or kept.parent / "state"),
        model=model,
        schema=_schema(folder),
    )  # fmt: skip
    _refuse_existing(folder, made, own=profile is None)
    found = _profile(made.profile) if profile is None else ""
    written = _write(folder, made, found)
    plan, then = (line.format(name) for line in NEXT[made.target])
    if as_json:
        files = {"site": str(written[0]), "profile": str(written[1]) if found else None}
        output.print_json({"v": 1, **files, "next": [plan, then]})
        return
    output.note("written: " + " and ".join(str(path) for path in written if path.exists()))
    output.line(plan)
    output.line(then)


def _asked(question: str, default: str, *, needed: bool = True) -> str:
    """On a terminal the person's answer; else the default, or a refusal where it is `needed`."""
    if sys.stdin.isatty() and sys.stderr.isatty():
        return str(typer.prompt(question, default=default, err=True))
    if needed:
        raise UserError(f"{question}: there is no terminal to ask on; name it", INVALID)
    return default


def _default_name() -> str:
    return re.sub(r"[^a-z0-9-]+", "-", os.uname().nodename.lower()).strip("-")[:32] or "site"


def _target(target: str) -> str:
    if target not in NEXT:
        raise UserError(f"--target {target}: give one of {', '.join(NEXT)}", INVALID)
    return target


def _schema(folder: Path) -> str:
    return "../schemas/site.schema.json" if (folder / "schemas").is_dir() else ""


def _profile(name: str) -> str:
    """The YAML of a profile of this machine, with what `detect` remarks as notes."""
    from fanfold.detect.as_yaml import as_yaml
    from fanfold.detect.machine import detect

    try:
        found, remarks = detect(name)
    except ValueError as error:
        raise UserError(f"{error}. Name a profile with --profile", INVALID) from error
    for remark in remarks:
        output.note(remark)
    return "# Found by `fanfold detect`; change what is not so.\n" + as_yaml(found)


def _paths(folder: Path, site: FirstSite) -> tuple[Path, Path]:
    """Of the site and of its profile."""
    return (
        folder / "sites" / f"{site.name}.yaml",
        folder / "device_profiles" / f"{site.profile}.yaml",
    )


def _refuse_existing(folder: Path, site: FirstSite, *, own: bool) -> None:
    """Also a name that cannot be part of a path. `own`: a profile is made, too."""
    if not is_name(site.name):
        raise UserError(
            f"name {site.name!r}: small letters, digits and hyphens, at most {NAME_CHARACTERS}, "
            "e.g. press-7",
            INVALID,
        )
    for path in _paths(folder, site)[: 1 + own]:
        if path.exists():
            raise UserError(f"{path} is there already. Remove it, or give another name", INVALID)


def _write(folder: Path, site: FirstSite, profile: str) -> tuple[Path, Path]:
    """Both files, or neither: they are read and planned first, under other folders."""
    own = folder / "device_profiles"
    profiles = own if own.is_dir() else PROJECT / "device_profiles"
    with tempfile.TemporaryDirectory(prefix="fanfold-init-") as scratch:
        draft = Path(scratch)
        _check(draft, site, profile, profiles)
        try:
            _put(draft, folder, site, profile)
        except OSError as error:
            raise UserError(f"{error.filename}: {error.strerror}", INVALID) from error
    return _paths(folder, site)


def _check(draft: Path, site: FirstSite, profile: str, profiles: Path) -> None:
    """Raises UserError with everything that is wrong at once."""
    (draft / "device_profiles").mkdir()
    if profile:
        (draft / "device_profiles" / f"{site.profile}.yaml").write_text(profile, encoding="utf-8")
        profiles = draft / "device_profiles"
    path = draft / f"{site.name}.yaml"
    path.write_text(text_of(site), encoding="utf-8")
    try:
        wrong = errors(check(plan_group(*load_site(path, profiles))))
        found = [finding for finding in wrong if finding.code not in LATER]
    except InvalidInput as error:
        found = list(error.findings)
    if found:  # the draft's folder is nobody's business
        said = "\n".join(str(finding).replace(f"{draft}/", "") for finding in found)
        raise UserError(f"{said}\nNothing was written.", INVALID)


def _put(draft: Path, folder: Path, site: FirstSite, profile: str) -> None:
    profiles, sites = folder / "device_profiles", folder / "sites"
    if profile and sites.is_dir() and not profiles.is_dir():
        # Its sites used Fanfold's own profiles, which a folder of its own would hide.
        shutil.copytree(PROJECT / "device_profiles", profiles)
    sites.mkdir(parents=True, exist_ok=True)
    if profile:
        profiles.mkdir(exist_ok=True)
        with (profiles / f"{site.profile}.yaml").open("x", encoding="utf-8") as file:
            file.write((draft / "device_profiles" / f"{site.profile}.yaml").read_text("utf-8"))
    with (sites / f"{site.name}.yaml").open("x", encoding="utf-8") as file:
        file.write((draft / f"{site.name}.yaml").read_text("utf-8"))

"""`fanfold model new NETWORK`: from a network's file to a folder that can be tried and packed."""

from __future__ import annotations

import re
import shutil
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import typer

from edgecore.disk.archive import ArchiveError
from fanfold.common import output
from fanfold.common.errors import INVALID, UserError
from fanfold.device import trying
from fanfold.device.pool import unpacked
from fanfold.models.try_out import keep_as_probes, show
from lambdas.model.errors import ModelError
from lambdas.model.spec import MANIFEST
from models.draft import Overrides, draft, plain_name, refuse_no_picture, side_of, write
from models.facts import Facts, read_facts
from models.families import FAMILIES
from models.recognise import Found, Question, Side, recognise

ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")


def new(
    network: Path = typer.Argument(
        help=".onnx, .xml (OpenVINO), -symbol.json (MXNet), .pt2, .torchscript, or a SageMaker "
        "artifact: model.tar.gz, or the folder of it."
    ),
    out: Path | None = typer.Option(None, help="Folder to write; named after the file if absent."),
    family: str | None = typer.Option(
        None, help="What kind of network it is, where its file leaves it open; asked for if absent."
    ),
    labels: Path | None = typer.Option(None, help="Names of the classes, one per line."),
    size: str | None = typer.Option(None, help="HEIGHTxWIDTH of the input, if the file is open."),
    name: str | None = typer.Option(None, help="The package's name."),
    version: str = typer.Option("1.0.0", help="The package's version."),
    images: list[Path] = typer.Option(
        [], help="Pictures to try it on at once; they become the package's probes."
    ),
    as_json: bool = typer.Option(
        False, "--json", help="The draft as one JSON object, with what it answered."
    ),
) -> None:
    """Read a network's file and write a commented model.json for it; then: model try, model pack.

    Inputs, outputs, metadata and weights outside the file are read, never guessed: where
    several families have the same shapes, you are asked.

    Example: fanfold model new best.onnx --images photos/1.jpg
    """
    archive = network.is_file() and network.name.endswith(ARCHIVES)
    try:
        with unpacked(network) if archive else nullcontext(network) as source:
            facts = read_facts(_inside(source, network) if archive else source)
            refuse_no_picture(facts)
            side = side_of(facts, _side(size))
            found = _found(facts, side, family, labels)
            overrides = Overrides(name or plain_name(network), version, labels, side)
            folder = out or Path(overrides.name)
            write(draft(facts, found, overrides), folder)
    except (ArchiveError, ModelError) as error:
        raise UserError(str(error), INVALID) from error
    if not as_json:
        output.line(f"{folder}/model.json  {found.family}: {found.why}")
    answers = _try(folder, images)
    if not as_json:
        for answer in answers:
            show(answer)
    probes = keep_as_probes(folder, answers) if images else 0
    if as_json:
        path = str(folder / MANIFEST)
        output.print_json({"v": 1, "path": path, "family": found.family, "why": found.why,
            "probes": probes, "answers": answers})  # fmt: skip
    output.note(_next(folder, images, probes))


def _inside(folder: Path, archive: Path) -> Path:
    """Where the network lies in an unpacked artifact, as SageMaker writes it."""
    if (folder / MANIFEST).is_file():
        raise UserError(
            f"{archive} is a package already: fanfold model try {archive} PHOTO…", INVALID
        )
    return next((path.parent for path in sorted(folder.rglob("*-symbol.json"))), folder)


def _try(folder: Path, images: list[Path]) -> list[dict[str, Any]]:
    """Its answers. A draft that cannot run is left where it is: the sentence says what to change
    in it."""
    with trying.sealed(folder) as (sealed, spec):
        trial = trying.run(sealed, spec.runtime, images, folder / "tried" if images else None)
    return trial.answers


def _next(folder: Path, images: list[Path], probes: int) -> str:
    if images:
        return f"{probes} probe(s) kept: correct the answers in model.json if they are wrong"
    return f"it runs. Then: fanfold model try {folder} PHOTO… --keep"


def _found(facts: Facts, side: Side | None, family: str | None, labels: Path | None) -> Found:
    if family is not None:
        return _declared(facts, side, family)
    found = recognise(facts, side, _count(labels))
    if isinstance(found, Question):
        return _asked(facts, side, found)
    return found


def _declared(facts: Facts, side: Side | None, family: str) -> Found:
    """As the user says; what the file says of its own is not contradicted."""
    if family not in FAMILIES:
        raise UserError(f"--family {family!r}: use one of {', '.join(FAMILIES)}", INVALID)
    own = recognise(facts, side, None)
    if isinstance(own, Found):
        if FAMILIES[own.family].output != FAMILIES[family].output:
            raise UserError(
                f"--family {family}: the file says otherwise, {own.family}: {own.why}", INVALID
            )
        return own._replace(family=family)
    return Found(family, "as declared")


def _asked(facts: Facts, side: Side | None, question: Question) -> Found:
    if not question.candidates:
        raise UserError(
            f"no family that is known here has these outputs: {question.shapes}; export the network"
            " with its decoding inside, declare the outputs in a model.json of your own, or write "
            "a hook (docs/spec/model-package.md)",
            INVALID,
        )
    lines = [f"  {name:<20} {FAMILIES[name].words}" for name in question.candidates]
    text = "\n".join([f"outputs: {question.shapes or 'not said in the file'}", *lines])
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        several = len(question.candidates) > 1
        have = "several families have" if several else "one family that is known here has"
        raise UserError(
            f"the file does not say what its outputs mean, and {have} these shapes; "
            f"say which with --family:\n{text}",
            INVALID,
        )
    output.note(text)
    chosen = typer.prompt("family", err=True).strip()
    return _declared(facts, side, chosen)


def _count(labels: Path | None) -> int | None:
    if labels is None:
        return None
    from lambdas.model.labels import read_labels

    try:
        return len(read_labels(labels.read_bytes(), labels.name))
    except OSError as error:
        raise UserError(f"--labels {labels}: {error.strerror}", INVALID) from error


def _side(text: str | None) -> Side | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)(?:[x×](\d+))?", text)
    if not match:
        raise UserError(f"--size {text!r}: use HEIGHTxWIDTH, as 480x640", INVALID)
    return Side(int(match[1]), int(match[2] or match[1]))


def copied(source: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(source, folder))


def register(parent: Any) -> None:
    parent.command()(new)

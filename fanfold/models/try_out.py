"""`fanfold model try MODEL IMAGE…`: run a package here and draw what it found."""

from __future__ import annotations

import json
import shutil
from filecmp import cmp
from itertools import chain, count
from pathlib import Path
from typing import Any

import typer

from fanfold.common import output
from fanfold.common.errors import FAILED, INVALID, UserError
from fanfold.device import trying
from fanfold.device.pool import files_of
from lambdas.model.spec import MANIFEST
from models import jsonc
from models.draft import document

#: What a probe needs of an answer; masks and everything else would only make it long.
_PROBED = {
    "top": ("label", "index", "score"), "boxes": ("label", "index", "score", "box"),
    "classes": ("label", "index", "share"),
}  # fmt: skip
_TOP = 1


def try_(
    model: Path = typer.Argument(help="A package, or a folder with model.json."),
    images: list[Path] = typer.Argument(help="Pictures, or folders of them."),
    out: Path = typer.Option(Path("tried"), help="Folder for the drawings (PNG)."),
    keep: bool = typer.Option(
        False, "--keep", help="Keep these pictures and answers as the package's probes."
    ),
    as_json: bool = typer.Option(False, "--json", help="One JSON object per picture."),
) -> None:
    """Run a package on pictures, by the device's own Python and code, and draw what it found.

    Example: fanfold model try best/ photos/1.jpg photos/2.jpg --keep
    """
    if keep and not model.is_dir():
        raise UserError("--keep writes into a folder with model.json, not into a package", INVALID)
    paths = files_of(images)
    with trying.sealed(model) as (folder, spec):
        trial = trying.run(folder, spec.runtime, paths, out)
    for answer in trial.answers:
        if as_json:
            output.print_json({"v": 1, **answer})
        else:
            show(answer)
    if keep:
        output.note(f"{keep_as_probes(model, trial.answers)} probe(s) in {model / MANIFEST}")
    failed = [answer for answer in trial.answers if "problem" in answer]
    if failed:
        raise UserError(f"{len(failed)} of {len(trial.answers)} pictures have no answer", FAILED)


def show(answer: dict[str, Any]) -> None:
    """One picture's answer in a line or some."""
    name = Path(answer["image"]).name
    if "problem" in answer:
        output.out.print(f"{name:<24} {answer['problem']}", markup=False)
        return
    said = _lines(answer["output"])
    for number, line in enumerate(said):
        output.out.print(f"{name if number == 0 else '':<24} {line}", markup=False)
    output.note(f"  {answer['ms']} ms, {answer['drawn']}" if answer["drawn"] else "")


def _lines(found: dict[str, Any]) -> list[str]:
    if "boxes" in found:
        return [
            f"{box['label']} {box['score']:.3f}  {_pixels(box['box'], found['size'])}"
            for box in found["boxes"]
        ] or ["nothing found"]
    if "top" in found:
        return [f"{entry['label']} {entry['score']:.3f}" for entry in found["top"]]
    if "classes" in found:
        return [f"{entry['label']} {entry['share']:.1%}" for entry in found["classes"]]
    if "anomalous" in found:
        word = "anomalous" if found["anomalous"] else "normal"
        return [f"{word}, score {found['score']:.3f}, threshold {found['threshold']:g}"]
    return [json.dumps(found)[:200]]


def _pixels(box: list[float], size: list[int]) -> str:
    corners = [round(value * side) for value, side in zip(box, size * 2, strict=True)]
    return f"({corners[0]}, {corners[1]}) to ({corners[2]}, {corners[3]})"


def _copied(source: Path, folder: Path) -> str:
    """The name of `source` in `folder`, where another picture of its name stays what it is."""
    folder.mkdir(exist_ok=True)
    numbered = (f"{source.stem}-{number}{source.suffix}" for number in count(2))
    for name in chain([source.name], numbered):
        if not (folder / name).exists():
            shutil.copyfile(source, folder / name)
            return name
        if cmp(source, folder / name, shallow=False):
            return name
    raise AssertionError("numbers do not end")


def keep_as_probes(folder: Path, answers: list[dict[str, Any]]) -> int:
    """Copy the pictures into `folder` and their answers into its model.json; returns how many."""
    path = folder / MANIFEST
    model = jsonc.read(path.read_bytes())
    probes = list(model.get("probes", []))
    kept = 0
    for answer in answers:
        if "output" not in answer:
            continue
        source = Path(answer["image"])
        name = f"probes/{_copied(source, folder / 'probes')}"
        probes = [entry for entry in probes if entry["file"] != name]
        probes.append({"file": name, "expect": _expected(answer["output"])})
        kept += 1
    _with_probes(path, probes)
    return kept


def _expected(found: dict[str, Any]) -> dict[str, Any]:
    expect: dict[str, Any] = {}
    for key, wanted in _PROBED.items():
        if key in found:
            entries = found[key][:_TOP] if key == "top" else found[key]
            expect[key] = [{k: entry[k] for k in wanted} for entry in entries]
    for key in ("anomalous", "score"):
        if key in found:
            expect[key] = found[key]
    return expect


def _with_probes(path: Path, probes: list[dict[str, Any]]) -> None:
    """The file as it is, comments too, with `probes` at its end."""
    text = path.read_text(encoding="utf-8-sig")
    mark = "  // what these pictures have to be answered before the model may serve"
    head = text[: text.index(mark)].rstrip().rstrip(",") if mark in text else None
    if head is None:
        model = jsonc.read(text.encode())
        if "probes" in model:
            model["probes"] = probes
            path.write_text(document([(k, v, "") for k, v in model.items()]), encoding="utf-8")
            return
        head = text.rstrip().removesuffix("}").rstrip().rstrip(",")
    body = document([("probes", probes, mark.split("// ")[1])]).split("\n", 1)[1]
    path.write_text(f"{head},\n{body}", encoding="utf-8")


def register(parent: Any) -> None:
    parent.command("try")(try_)

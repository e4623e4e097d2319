"""`fanfold model new | try | pack | sign | inspect | compile | publish`: model packages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from fanfold.cloud.development import running_cloud
from fanfold.common import output
from fanfold.common.arguments import AWS
from fanfold.common.errors import FAILED, INVALID, REFUSED, UserError
from fanfold.device import compiling, trying
from fanfold.device.pool import unpacked
from fanfold.models import new, sign, try_out
from lambdas.model.spec import ModelError
from models import jsonc, package

app = typer.Typer(
    no_args_is_help=True,
    help="Model packages: what a site's `model.s3_uri` points at (docs/spec/model-package.md).",
)


@app.command()
def pack(
    folder: Path = typer.Argument(help="Holds model.json (hashes not needed) and its files."),
    out: Path = typer.Option(Path("model.tar.gz"), help="Where to write the package."),
    run: bool = typer.Option(True, "--run/--no-run", help="Run it once on this machine first."),
    as_json: bool = typer.Option(False, "--json", help="The package as one JSON object."),
) -> None:
    """Pack a folder, after its model has run once; the same files always give the same bytes.

    What could not serve is refused in a sentence: a network too new for the device's runtime,
    weights that are missing, keys that nobody knows, labels that are not as many as outputs,
    a probe that is answered wrong.

    Example: fanfold model pack my-model/ --out my-model-1.0.0.tar.gz
    """
    manifest = folder / "model.json"
    try:
        model = jsonc.read(manifest.read_bytes())
        made = package.pack(folder, model, out.with_name(out.name + ".trial"))
        try:
            if run and not made.spec.simulated:
                model = _ran(made.path, made.spec.runtime, model)
            made = package.pack(folder, model, out)
        finally:
            out.with_name(out.name + ".trial").unlink(missing_ok=True)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"{manifest}: no such file. It describes the model.", INVALID) from error
    except (ModelError, ValueError) as error:
        raise UserError(str(error), INVALID) from error
    if as_json:
        size, digest = made.size_bytes, made.sha256
        output.print_json({"v": 1, "path": str(made.path), "bytes": size, "sha256": digest})
    else:
        output.out.print(f"{made.path}  {made.size_bytes} bytes  sha256 {made.sha256}")


def _ran(archive: Path, runtime: str, model: dict[str, Any]) -> dict[str, Any]:
    """model.json with what the run has told apart. Raises `UserError` where it cannot serve."""
    try:
        trying.interpreter(runtime)
    except UserError as error:
        output.warn(f"packed without a run: {error}")
        return model
    with unpacked(archive) as folder:
        trial = trying.run(folder, runtime, [])
    if model.get("task") == "classification" and trial.softmax is not None:
        declared = model.get("output", {})
        if "softmax" not in declared and "activation" not in declared:
            return {**model, "output": {**declared, "softmax": trial.softmax}}
    return model


@app.command()
def inspect(
    path: Path, as_json: bool = typer.Option(False, "--json", help="As one JSON object.")
) -> None:
    """Verify a package: a complete archive, every hash correct.

    Example: fanfold model inspect build/models/lite0-1.0.0.tar.gz
    """
    found = _inspect(path)
    facts = _facts(found)
    if as_json:
        output.print_json({"v": 1, **facts})
        return
    for name, value in facts.items():
        output.out.print(f"{name:<12} {value}", markup=False)


@app.command("compile")
def compile_(
    path: Path = typer.Argument(help="A package for MXNet (a SageMaker SSD as it is) or ONNX."),
    to: str = typer.Option(help="mxnet, onnxruntime or openvino."),
    calibrate: Path = typer.Option(
        help="Folder of your images: some calibrate int8, the others judge the agreement."
    ),
    int8: bool = typer.Option(False, "--int8", help="8-bit integers: faster and smaller."),
    full_range: bool = typer.Option(
        False, "--full-range", help="int8 weights of 8 bits, not 7: for CPUs with VNNI only."
    ),
    min_agreement: float | None = typer.Option(
        None,
        min=0.0,
        max=1.0,
        help="Agreement below which the package is refused; default 0.99, with --int8 0.95.",
    ),
    out: Path | None = typer.Option(None, help="Where to write the package."),
    force: bool = typer.Option(
        False, "--force", help="Write the package whatever the agreement is."
    ),
    as_json: bool = typer.Option(False, "--json", help="As one JSON object."),
) -> None:
    """Make a faster package: another runtime, int8; shows how far it agrees with the original.

    Agreement: the same best class; for SSD, boxes found again (same class, overlap of a half).
    Speed is measured here, one thread, original and compiled in turn.

    Example: fanfold model compile ssd.tar.gz --to openvino --int8 --calibrate photos/
    """
    if to not in compiling.NEEDS:
        raise UserError(f"--to {to!r}: use one of {', '.join(compiling.NEEDS)}", INVALID)
    if not calibrate.is_dir():
        raise UserError(f"--calibrate {calibrate}: no such folder; it holds your images", INVALID)
    written = out or compiling.default_out(path, to, int8=int8)
    request = {
        "to": to,
        "int8": int8,
        "full_range": full_range,
        "calibrate": str(calibrate.absolute()),
        "min_agreement": min_agreement if min_agreement is not None else (0.95 if int8 else 0.99),
        "out": str(written.absolute()),
        "force": force,
    }
    result = compiling.compile_package(path, _inspect(path).spec.runtime, request)
    if as_json:
        output.print_json({"v": 1, **result})
    else:
        _report(result, written)
    if result["package"] is None:
        raise UserError(f"{result['refusal']}. Nothing was written.", FAILED)
    if result["refusal"]:
        output.warn(f"written because of --force: {result['refusal']}")


def _report(result: dict[str, Any], written: Path) -> None:
    images, judged, speed = result["images"], result["agreement"], result["speed"]
    who = "calibrated on the same" if images["shared"] else "none of which calibrated"
    if images["skipped"]:
        names = ", ".join(images["skipped"][:3])
        output.note(f"{len(images['skipped'])} files are not images and were skipped: {names}")
    value = "cannot be judged" if judged["value"] is None else f"{judged['value']:.4f}"
    lines = [("agreement", f"{value}  ({judged['note']}; {images['judge']} images, {who})")]
    if speed:
        ms, (low, high) = speed["ms"], speed["range"]
        lines.append((
            "speed-up",
            f"{speed['speedup']:.2f} × [{low:.2f}-{high:.2f}]  "
            f"({ms['original']:.1f} → {ms['compiled']:.1f} ms per image, one thread, this machine)",
        ))  # fmt: skip
        lines.append(("memory", f"{result['footprint']['memory_kb'] / 1024:.0f} MB per copy"))
    if result["package"]:
        made = result["package"]
        lines.append(("package", f"{written}  {made['bytes']} bytes  sha256 {made['sha256']}"))
        lines.append(("version", made["version"]))
    for name, text in lines:
        output.out.print(f"{name:<12} {text}", markup=False)


@app.command()
def publish(
    path: Path,
    bucket: str = typer.Option(help="Bucket; made where it does not exist on a development cloud."),
    aws: bool = AWS,
    as_json: bool = typer.Option(False, "--json", help="As one JSON object, with the URI."),
) -> None:
    """Upload a verified package under its content's own key; prints the S3 URI.

    Then: fanfold deploy SITE --model URI
    Example: fanfold model publish lite0-1.1.0.tar.gz --bucket fanfold-demo-models
    """
    found = _inspect(path)
    uri = upload(path, bucket, aws=aws)
    if as_json:
        output.print_json({"v": 1, "uri": uri, **_facts(found)})
    else:
        typer.echo(uri)


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
            f"s3://{bucket}: {error}. Check the bucket's name, region and your permissions for it.",
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
    new.register(app)
    try_out.register(app)
    sign.register(app)
    parent.add_typer(app, name="model")

"""`fanfold pool IMAGES… --model PACKAGE`: a folder in, ordered JSON Lines out, no Greengrass."""

from __future__ import annotations

from pathlib import Path

import typer

from fanfold.common import output
from fanfold.common.errors import INVALID, UserError
from fanfold.device.pool import files_of, records


def register(app: typer.Typer) -> None:
    app.command("pool")(pool)


def pool(
    images: list[Path] = typer.Argument(help="Image files, or folders of them."),
    model: Path = typer.Option(help="Model package (tar.gz, zip) or its unpacked folder."),
    workers: str = typer.Option("auto", help="Processes; auto: one per GPU named, else per core."),
    gpus: str = typer.Option(
        "", help="GPU ids, dealt round-robin, e.g. 0,1; auto: all that are here; none: the CPU."
    ),
    as_json: bool = typer.Option(  # noqa: ARG001 - this verb has no other answer
        False, "--json", help="One JSON record a line, as without it: for scripts that always ask."
    ),
) -> None:
    """Run a model over images with a pool of processes, without a core or a cloud.

    One JSON line for each file, in order; a file that is not an image gets one `failed` record.
    Example: fanfold pool build/images --model build/models/demo.tar.gz --workers 2
    """
    if workers != "auto" and not (workers.isdigit() and 1 <= int(workers) <= 256):
        raise UserError(f"--workers {workers}: use auto, or 1 to 256", INVALID)
    numbers = all(part.strip().isdigit() for part in gpus.split(",") if part)
    if gpus != "auto" and not numbers:
        raise UserError(f"--gpus {gpus}: use auto, or numbers with commas, e.g. 0,1", INVALID)
    files = files_of(images)
    failed = 0
    with output.progress() as bar:
        task = bar.add_task("images", total=len(files))
        for record in records(files, model, workers, gpus):
            output.print_json(record)
            failed += record["status"] != "ok"
            bar.advance(task)
    output.note(f"{len(files)} files, {failed} failed")

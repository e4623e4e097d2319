"""`fanfold replay`: what a model would have said about an archive of images."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from fanfold.cloud.landed import records_of
from fanfold.common import output
from fanfold.common.errors import FAILED, INVALID, MISSING, UserError
from fanfold.common.progress import Progress
from fanfold.device.interpreters import device_python
from lambdas.model.spec import RUNTIME_MODULES, ModelSpec
from lambdas.pool.sizing import parse_gpus, processes
from replay.compare import require_results
from replay.cost import Work, cost
from replay.drive import Driver, Tally
from replay.engines.engine import Engine
from replay.engines.local import LocalEngine
from replay.errors import CannotLoadError, NoPackageError, ReplayError
from replay.finish import finish
from replay.opening import place_of
from replay.package import local_package, spec_of
from replay.plan import Replay, make_plan, model_key
from replay.recorded import recorded
from replay.render.batch import submit_command, template
from replay.render.kubernetes import indexed_job
from replay.render.manifests import Array, write_manifests
from replay.shard import Job


class EngineName(str, Enum):
    """Who runs the shards."""

    local = "local"
    ray = "ray"


class Rendered(str, Enum):
    """For whom a file is rendered instead."""

    kubernetes = "kubernetes"
    batch = "batch"


def register(app: typer.Typer) -> None:
    app.command("replay")(replay)


def replay(
    model: str = typer.Option(help="Model package (tar.gz, zip, folder, or an s3:// URI)."),
    source: str = typer.Option(
        ..., "--from", help="Archive of images: s3://bucket/prefix or a folder."
    ),
    out: str = typer.Option(help="Where results go: s3://bucket/prefix or a folder."),
    against: str | None = typer.Option(
        None, help="Results recorded live (batches/ or results/ of a site): s3:// or a folder."
    ),
    recorded_only: bool = typer.Option(
        False, "--recorded-only", help="Only the images that the results of --against name."
    ),
    engine: EngineName = typer.Option(EngineName.local, help="Who runs the shards."),
    ray_address: str = typer.Option(
        "auto", "--ray", help="With --engine ray: auto, host:port or ray://host:port."
    ),
    workers: str = typer.Option("auto", help="Local processes; auto: one per GPU, else per core."),
    gpus: str = typer.Option("", help="Local GPU ids, e.g. 0,1; auto: all. Ray: GPUs per task."),
    shard_images: int = typer.Option(1000, min=1, max=100_000, help="Images of one shard."),
    usd_per_hour: float = typer.Option(0.0, min=0, help="Price of all machines, for the cost."),
    render: Rendered | None = typer.Option(
        None, help="Run nothing: write an array for Kubernetes (YAML) or AWS Batch (JSON)."
    ),
    image: str | None = typer.Option(None, help="With --render: container image with Fanfold."),
    parallel: int = typer.Option(100, min=1, help="With --render kubernetes: tasks at once."),
    memory_mb: int = typer.Option(2048, min=64, help="With --render: memory of a task."),
    as_json: bool = typer.Option(False, "--json", help="Print the report as JSON."),
) -> None:
    """Run a model over an archive of images, in order, each image once; compare with live results.

    Stop it at any moment and start the same command again: what is done stays done.
    Example: fanfold replay --model build/models/demo.tar.gz --from build/images --out build/replay
    """
    _refuse_sizes(workers, gpus, engine, render)
    if recorded_only and not against:
        raise UserError("--recorded-only needs --against: whose images?", INVALID)
    if render is not None and not image:
        raise UserError("--render needs --image, a container image with Fanfold", INVALID)
    with _explained():
        folder = local_package(model)
        spec, archive, store = spec_of(folder, model), place_of(source), place_of(out)
        live = (place_of(against), records_of) if against else None
        if live:
            require_results(*live)
        with output.working(f"listing {archive.url}"):
            listed = recorded(*live) if live and recorded_only else None
            plan = make_plan(archive, shard_images, listed=listed)
        with closing(plan):
            output.note(f"{plan.images:,} images in {plan.shards:,} shards, replay {plan.name}")
            whole = Replay(plan, model_key(spec.sha256), archive, store)
            job = Job(archive.url, store.url, whole.model, folder, workers, gpus)
            if render is not None:
                there = model if model.startswith("s3://") else str(Path(model).absolute())
                task = (str(image), parallel, memory_mb)
                _render(render, whole, spec, job._replace(package=there), task)
                return
            made = _engine(engine, job, spec, model, ray_address)
            tally = _driven(whole, made, usd_per_hour)
            report = finish(whole, spec, live)
    report["run"] = _run_of(tally, whole, usd_per_hour)
    if as_json:
        output.print_json(report)
    else:
        _print(report)


@contextmanager
def _explained() -> Iterator[None]:
    """What ends a replay, for whoever started it."""
    try:
        yield
    except CannotLoadError as error:
        raise UserError(str(error), MISSING) from error
    except NoPackageError as error:
        raise UserError(f"--model {error}", INVALID) from error
    except ReplayError as error:
        raise UserError(str(error), FAILED) from error
    except OSError as error:  # the plan and the joined streams are made in a temporary folder
        where = error.filename or f"{tempfile.gettempdir()} (TMPDIR)"
        raise UserError(
            f"{where}: {error.strerror or error}. Make room there, or set TMPDIR to another "
            "folder, and start the same replay again: what is written stays",
            FAILED,
        ) from error


def _refuse_sizes(workers: str, gpus: str, engine: EngineName, render: Rendered | None) -> None:
    """Raises UserError for what no process could start with, before anything is listed."""
    if render is not None and gpus and not gpus.isdigit():
        raise UserError(f"--gpus {gpus}: with --render it is the GPUs of a task, e.g. 1", INVALID)
    if engine is EngineName.ray:
        if importlib.util.find_spec("ray") is None:
            raise UserError("--engine ray needs Ray: pip install 'fanfold[ray]'", MISSING)
        _gpus_of_task(gpus)
        return
    try:
        processes(workers, parse_gpus(gpus))
    except ValueError as error:
        raise UserError(f"--workers {workers} --gpus {gpus or 'none'}: {error}", INVALID) from error


def _engine(engine: EngineName, job: Job, spec: ModelSpec, model: str, address: str) -> Engine:
    if engine is EngineName.local:
        return LocalEngine(job._replace(python=_python_for(spec)))
    from replay.engines.ray_engine import RayEngine

    package = model if Path(model).is_file() else job.package
    return RayEngine(job._replace(package=package), address, gpus=_gpus_of_task(job.gpus))


def _gpus_of_task(asked: str) -> float:
    """Raises UserError for what Ray has no such share of."""
    try:
        gpus = float(asked or 0)
    except ValueError:
        gpus = -1.0
    if 0 <= gpus <= 1 or (gpus > 1 and gpus.is_integer()):
        return gpus
    raise UserError(
        f"--gpus {asked}: with Ray it is the GPUs of a task: 0.5 for two tasks on one GPU, 1, 2, …",
        INVALID,
    )


def _python_for(spec: ModelSpec) -> str:
    """The interpreter that has the package's runtime: this one, else the device environment's."""
    module = RUNTIME_MODULES.get(spec.runtime)
    if module is None or importlib.util.find_spec(module) is not None:
        return ""
    python = device_python()
    return "" if python is None or str(python) == sys.executable else str(python)


def _driven(whole: Replay, engine: Engine, usd_per_hour: float) -> Tally:
    with Progress(whole.plan.images, usd_per_hour) as progress:
        try:
            return Driver(whole, engine, progress).run()
        except KeyboardInterrupt:
            output.note("stopped; the same command goes on where it was")
            raise


def _run_of(tally: Tally, whole: Replay, usd_per_hour: float) -> dict[str, Any]:
    worked = tally.images - tally.found
    in_s3 = [place.url.startswith("s3://") for place in (whole.archive, whole.store)]
    work = Work(worked, whole.plan.shards, *in_s3)
    return {
        "images": worked,
        "found": tally.found,
        "seconds": round(tally.seconds, 3),
        "images_per_s": round(tally.images_per_s, 1),
        "usd": round(cost(work, tally.images_per_s, usd_per_hour).usd, 4),
        "nodes": dict(tally.nodes),
        "quarantined": tally.quarantined,
    }


def _render(
    render: Rendered, whole: Replay, spec: ModelSpec, job: Job, of_task: tuple[str, int, int]
) -> None:
    image, parallel, memory_mb = of_task
    gpus = int(job.gpus) if job.gpus.isdigit() else 0
    ids = ",".join(str(index) for index in range(gpus))
    url = write_manifests(whole, job._replace(gpus=ids))
    here = [place for place in (job.source, job.out, job.package) if not place.startswith("s3://")]
    if here:
        output.warn(
            f"of this machine: {', '.join(here)}. Every task needs them under the same path, as a "
            "volume that is mounted there; or use s3://"
        )
    cpus = int(job.workers) if job.workers.isdigit() else 1
    # One archive is replayed with many models, and each has a job of its own.
    name = f"replay-{whole.plan.name}-{spec.sha256[:8]}"
    hooks = os.environ.get("FANFOLD_HOOKS", "")
    array = Array(name, url, whole.plan.shards, image, cpus, memory_mb, gpus, parallel, hooks)
    if render is Rendered.kubernetes:
        from ruamel.yaml import YAML

        yaml = YAML()
        yaml.width = 4096  # a path with spaces stays in one line
        yaml.dump(indexed_job(array), sys.stdout)
        return
    sys.stdout.write(json.dumps(template(array), indent=1) + "\n")
    output.note(f"deploy it, then: {submit_command(array, 'QUEUE')}")


def _print(report: dict[str, Any]) -> None:
    run = report["run"]
    failed = ", ".join(f"{count:,} {reason}" for reason, count in sorted(report["failed"].items()))
    output.out.print(
        f"{report['images']:,} images, {report['ok']:,} ok, failed: {failed or 'none'}"
    )
    output.out.print(
        f"this run: {run['images']:,} images, {run['images_per_s']} images/s, ${run['usd']}; "
        f"{run['found']:,} were there before"
    )
    for name in run["quarantined"]:
        output.warn(f"{name} is quarantined: it ended three processes")
    if "against" in report:
        if regions := report["against"]["with_region"]:
            output.warn(
                f"{regions:,} images were recorded with a region or masks of their camera; a "
                "replay looks at whole pictures, so some disagreements may come from that"
            )
        for task, row in report["against"]["agreement"].items():
            output.out.print(f"{task}: {100 * row['share']:.2f} % of {row['images']:,} agree")
        for row in report["against"]["flips"][:5]:
            output.out.print(f"  {row['live']} → {row['replayed']}: {row['count']:,}", markup=False)
    output.out.print(f"{report['results']}/report.html", markup=False)
